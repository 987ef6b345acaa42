package doors_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"html"
	"net/http"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"livemon/internal/access"
	"livemon/internal/switchsim"
	"livemon/internal/wire"
)

// hostileNames are names of agents that mean something to what shows them.
var hostileNames = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `</td></tr></table><h1>owned</h1>`, `javascript:alert(1)`, `{{.CSRF}}`, `&lt;b&gt;`,
	`=HYPERLINK("http://evil.example","x")`, `+1+cmd' /C calc'!A0`, `@SUM(1)`, `-2+3`, `a,b;c"d`, "caf\u0301e", `..%2f..%2fetc`, `a'b`, "ünïcode ☎",
}

// active is what would run, or load something, in a page.
var active = regexp.MustCompile(`(?i)<(script>|script [^>]*src="[^/]|img|iframe|object|base|embed|h1>owned)|<[a-z0-9]+(\s+[a-z:-]+(="[^"]*")?)*\s+(on[a-z]+|style)=|(href|src|action)="?\s*(javascript|data):`)

// program builds the command line, once for each test that needs it.
func program(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("not tested: there is no compiler")
	}
	out := filepath.Join(t.TempDir(), "livemon")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-o", out, "livemon/cmd/livemon")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}

// command runs the command line with somebody's token.
func (h *house) command(program, token string, args ...string) (text string, status int) {
	h.t.Helper()
	cmd := exec.CommandContext(h.t.Context(), program, args...)
	cmd.Env = []string{"LIVEMON_API=" + h.web.URL, "LIVEMON_TOKEN=" + token, "HOME=" + h.t.TempDir(), "PATH=/nonexistent"}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		h.t.Fatal(err)
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// TestHostileNames lets agents have names that mean something to browsers,
// spreadsheets, terminals and shells, and looks at them in everything that shows them.
func TestHostileNames(t *testing.T) {
	t.Parallel()
	var agents []switchsim.CCAgent
	for _, name := range hostileNames {
		agents = append(agents, switchsim.CCAgent{Name: name, Contact: "user/1001@" + domain})
	}
	h := build(t, func(o *options) { o.sim.Agents = agents })
	h.account("sue", func(c *wire.AccountChange) {
		c.FullName = ptr(`<b onclick="x">Sue</b>`)
		c.Rights, c.Agents = ptr(wire.Actions()), ptr([]string{"*"})
	})
	h.until("the agents are known", func() bool { list, _ := h.svc.Agents(t.Context()); return len(list) >= len(agents) })
	k, c := bearer(h.token("sue")), cookie(h.login("sue"))
	for _, name := range hostileNames {
		if a := h.ask(k, "POST", "/v1/sessions", wire.MonitorRequest{Agent: name, Phone: "1002"}); a.status != http.StatusConflict {
			t.Errorf("%q: %s", name, a.whole())
		}
	}
	h.recorded("the last of them", func(r wire.AuditRecord) bool {
		return r.Event == "refused" && r.Agent == hostileNames[len(hostileNames)-1]
	})

	var list []wire.Agent
	a := h.ask(k, "GET", "/v1/agents", nil)
	h.must(json.Unmarshal([]byte(a.body), &list))
	for _, name := range hostileNames {
		if !slices.ContainsFunc(list, func(x wire.Agent) bool { return x.Agent == name }) {
			t.Errorf("the list lacks %q", name)
		}
	}
	if strings.ContainsAny(a.body, "<>") || a.header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("JSON that a browser could take for a page: %s", a.whole())
	}

	for _, page := range []string{"/monitoring", "/sessions?page=1", "/audit?page=1", "/account"} {
		a := h.ask(c, "GET", page, nil)
		if a.status != http.StatusOK || !strings.Contains(a.header.Get("Content-Security-Policy"), "default-src 'none'") {
			t.Errorf("%s: %d %v", page, a.status, a.header)
		}
		if found := active.FindAllString(a.body, -1); len(found) > 0 {
			t.Errorf("%s: %q", page, found)
		}
		for _, name := range hostileNames {
			if strings.ContainsAny(name, `<>"'&`) && strings.Contains(a.body, name) {
				t.Errorf("%s holds %q as it is", page, name)
			}
			if strings.HasPrefix(page, "/audit") && !strings.Contains(html.UnescapeString(a.body), name) {
				t.Errorf("%s lacks %q", page, name)
			}
		}
	}
	for _, file := range []string{"/audit.csv", "/sessions.csv"} {
		a := h.ask(c, "GET", file, nil)
		rows, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
		if err != nil || !strings.HasPrefix(a.header.Get("Content-Disposition"), "attachment") || !strings.HasPrefix(a.header.Get("Content-Type"), "text/csv") {
			t.Errorf("%s: %v, %s", file, err, a.whole())
		}
		for _, row := range rows {
			for _, cell := range row {
				if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\n") {
					t.Errorf("%s holds the formula %q", file, cell)
				}
			}
		}
		if file == "/audit.csv" && len(rows) < len(hostileNames) {
			t.Errorf("%s has %d rows", file, len(rows))
		}
	}
}

// TestCommandLine uses the command line with the token of an account: it may do
// what the account may, and prints nothing that commands a terminal.
func TestCommandLine(t *testing.T) {
	t.Parallel()
	livemon := program(t)
	var agents []switchsim.CCAgent
	for _, name := range hostileNames {
		agents = append(agents, switchsim.CCAgent{Name: name, Contact: "user/1001@" + domain})
	}
	h := build(t, func(o *options) {
		o.access = access.Config{Never: access.Never{Agents: []string{"1009"}}}
		o.sim.Agents = agents
	})
	h.account("boss", func(c *wire.AccountChange) {
		c.Rights, c.Agents, c.Rank = ptr(wire.Actions()), ptr([]string{"*"}), ptr(90)
	})
	h.account("sue", func(c *wire.AccountChange) {
		c.Rights, c.Agents = ptr([]wire.Action{wire.ActionListen}), ptr(append(slices.Clone(hostileNames), "1004", "1009"))
	})
	h.call("5550100", "1003")
	h.call("5550101", "1004")
	theirs, mine := h.listens("boss", "1003", "1006"), h.listens("boss", "1004", "1007")
	h.rest()
	token, all := h.token("sue"), h.token("boss")
	h.quiet("the command line", func() {
		for _, c := range []struct {
			want int
			args []string
		}{
			{1, []string{"monitor", "--phone", "1002", "1003"}},
			{1, []string{"monitor", "--phone", "1002", "1103"}},
			{21, []string{"monitor", "--phone", "1002", "1009"}},
			{1, []string{"role", theirs.ID, "barge"}},
			{1, []string{"role", mine.ID, "barge"}},
			{1, []string{"takeover", theirs.ID}},
			{1, []string{"takeover", mine.ID}},
			{1, []string{"stop", theirs.ID}},
			{1, []string{"stop", mine.ID}},
			{1, []string{"follow", mine.ID, "agent"}},
			{1, []string{"supervisors", "list"}},
			{1, []string{"supervisors", "edit", "--rights", "listen,coach,barge,takeover", "sue"}},
			{1, []string{"supervisors", "remove", "boss"}},
			{1, []string{"teams", "list"}},
			{1, []string{"tokens", "list", "boss"}},
			{1, []string{"tokens", "add", "boss"}},
			{1, []string{"extensions", "add", "1002"}},
			{1, []string{"doctor"}},
			{1, []string{"audit", "export"}},
			{1, []string{"audit", "--supervisor", "boss"}},
		} {
			text, status := h.command(livemon, token, c.args...)
			if status != c.want || strings.Contains(text, "5550100") || strings.Contains(text, token) {
				t.Errorf("%q: status %d, want %d: %s", c.args, status, c.want, text)
			}
		}
		there, _ := h.command(livemon, token, "monitor", "--phone", "1002", "1003")
		missing, _ := h.command(livemon, token, "monitor", "--phone", "1002", "1103")
		if strings.ReplaceAll(there, "1003", "1103") != missing || missing == "" {
			t.Errorf("what is not seen: %q; what is not there: %q", there, missing)
		}
		for _, args := range [][]string{{"agents"}, {"sessions"}, {"audit"}, {"--json", "agents"}} {
			for _, who := range []string{token, all, "forged"} {
				text, status := h.command(livemon, who, args...)
				if (status == 0) != (who != "forged") || who == token && (strings.Contains(text, "1003@") || strings.Contains(text, theirs.ID)) {
					t.Errorf("%q: %d %s", args, status, text)
				}
				if i := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && (unicode.IsControl(r) || r == '\u202e' || r == '\u2028') }); i >= 0 {
					t.Errorf("%q prints %q", args, text[i:min(i+20, len(text))])
				}
			}
		}
	})
	if now, err := h.svc.Session(t.Context(), mine.ID); err != nil || now.Role != wire.Monitor || now.Status != wire.Listening {
		t.Errorf("%+v, %v", now, err)
	}
}
