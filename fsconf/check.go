package fsconf

import (
	"context"
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"livemon/internal/fsapi"
	"livemon/internal/wire"
)

// Switch is a connection to a running switch. API sends one api command and
// returns what the switch answered; an answer that begins with -ERR or -USAGE
// may come as an error whose text holds it.
type Switch interface {
	API(ctx context.Context, line fsapi.Line) (string, error)
}

// maxReply bounds what is read of one answer.
const maxReply = 16 << 20

// neededCommands asks for each api command that livemon sends in such a way that
// the switch does nothing but answer.
func neededCommands() []fsapi.Line {
	lines := []fsapi.Line{fsapi.RoomList(), fsapi.Global(confDirVar)}
	for _, name := range []string{
		"file_exists", "module_exists", "originate", "show", "uuid_bridge", "uuid_broadcast", "uuid_dump", "uuid_exists", "uuid_getvar",
		"uuid_kill", "uuid_media", "uuid_park", "uuid_setvar", "uuid_setvar_multi", "uuid_transfer", "version", "xml_locate",
	} {
		lines = append(lines, fsapi.Bare(fsapi.Name(name)))
	}
	return lines
}

var confDirVar = fsapi.Name("conf_dir")

// The newest release that livemon has been measured on, and the oldest.
const (
	oldestMajor, oldestMinor = 1, 10
	newestMajor, newestMinor = 1, 11
)

const doRights = "Allow it to livemon's event socket user (esl-allowed-api), or connect without one"

// Check asks a running switch whether what livemon needs is in force: version,
// rights, modules, applications, profile, keys, prompts and dial-in extension.
// It changes nothing there. There is one finding for each, in that order, also
// for those that are as they must be; a change made by Install is seen only
// after a 'reloadxml'.
//
// The error is a *SettingsError, or that of a connection which failed; the
// findings made until then are returned with it. What the switch refuses is a
// finding. Whether the switch may read a prompt is not visible from outside:
// that it is there is.
func Check(ctx context.Context, sw Switch, s Settings) ([]wire.Finding, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	c := &checker{sw: sw, s: s}
	for _, look := range []func(context.Context) error{
		c.folder, c.version, c.rights, c.modules, c.applications, c.conference, c.prompts, c.dialIn,
	} {
		if err := look(ctx); err != nil {
			return c.found, err
		}
	}
	return c.found, nil
}

type checker struct {
	sw      Switch
	s       Settings
	lenient bool   // keys that a room can do without may be missing
	confDir string // what the switch says is its configuration folder
	found   []wire.Finding
}

func (c *checker) ok(check, detail string) {
	c.found = append(c.found, wire.Finding{Check: check, OK: true, Detail: detail})
}

func (c *checker) bad(check, detail, do string) {
	c.found = append(c.found, wire.Finding{Check: check, Detail: detail, Do: do})
}

// ask returns the switch's answer, which may be an -ERR; the error is that of
// the connection.
func (c *checker) ask(ctx context.Context, line fsapi.Line) (string, error) {
	answer, err := c.sw.API(ctx, line)
	answer = strings.TrimSpace(answer[:min(len(answer), maxReply)])
	if err == nil || refused(answer) {
		return answer, nil
	}
	for _, mark := range []string{"-ERR", "-USAGE"} {
		if i := strings.Index(err.Error(), mark); i >= 0 {
			return strings.TrimSpace(err.Error()[i:]), nil
		}
	}
	return "", fmt.Errorf("asking the switch %q: %w", line.String(), err)
}

func refused(answer string) bool {
	return strings.HasPrefix(answer, "-ERR") || strings.HasPrefix(answer, "-USAGE")
}

// folder learns where the switch has its configuration; what is wrong with
// that is told with the prompts, which need it.
func (c *checker) folder(ctx context.Context) (err error) {
	c.confDir, err = c.ask(ctx, fsapi.Global(confDirVar))
	return err
}

func (c *checker) doInstall() string {
	dir := "DIR' on the switch's configuration folder"
	if _, err := fsapi.ParsePath(c.confDir); err == nil {
		dir = c.confDir + "' on the switch's machine"
	}
	return "Run 'livemon fsconf install " + dir + ", then 'fs_cli -x reloadxml'"
}

var versionNumber = regexp.MustCompile(`Version (\d{1,4})\.(\d{1,4})`)

func (c *checker) version(ctx context.Context) error {
	answer, err := c.ask(ctx, fsapi.Version())
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(answer, "\n")
	m := versionNumber.FindStringSubmatch(line)
	if m == nil {
		c.bad("version", fmt.Sprintf("the switch answers %q", clip(line)), "Connect livemon to a FreeSWITCH 1.10 or later")
		return nil
	}
	major, _ := strconv.Atoi(m[1])
	minor, _ := strconv.Atoi(m[2])
	number := m[1] + "." + m[2]
	switch {
	case older(major, minor, oldestMajor, oldestMinor):
		c.bad("version", "FreeSWITCH "+number, "Upgrade the switch to FreeSWITCH 1.10 or later")
	case older(newestMajor, newestMinor, major, minor):
		c.ok("version", "FreeSWITCH "+number+", newer than what livemon has been measured on (1.10, 1.11)")
	default:
		c.ok("version", "FreeSWITCH "+number)
	}
	return nil
}

func older(major, minor, thanMajor, thanMinor int) bool {
	return major < thanMajor || major == thanMajor && minor < thanMinor
}

func (c *checker) rights(ctx context.Context) error {
	var denied, unknown []string
	needed := neededCommands()
	for _, line := range needed {
		answer, err := c.ask(ctx, line)
		if err != nil {
			return err
		}
		name := line.Op()
		switch lower := strings.ToLower(answer); {
		case !refused(answer):
		case strings.Contains(lower, "permission denied"):
			denied = append(denied, name)
		case strings.Contains(lower, "command not found"):
			unknown = append(unknown, name)
		}
	}
	switch {
	case len(denied) > 0:
		c.bad("rights", "not allowed: "+strings.Join(denied, ", "), doRights)
	case len(unknown) > 0:
		c.bad("rights", "not known to the switch: "+strings.Join(unknown, ", "), "Load mod_commands and mod_conference")
	default:
		c.ok("rights", fmt.Sprintf("all %d commands that livemon needs are allowed", len(needed)))
	}
	return nil
}

func (c *checker) modules(ctx context.Context) error {
	needed := []string{"mod_commands", "mod_conference", "mod_dptools", "mod_event_socket", "mod_loopback", "mod_sndfile", "mod_tone_stream"}
	if c.s.DialIn != "" {
		needed = append(needed, "mod_dialplan_xml")
	}
	var missing []string
	for _, m := range needed {
		answer, err := c.ask(ctx, fsapi.ModuleExists(fsapi.Name(m)))
		if err != nil {
			return err
		}
		if answer != "true" {
			missing = append(missing, m)
		}
	}
	if len(missing) > 0 {
		c.bad("modules", "not loaded: "+strings.Join(missing, ", "),
			"Load them in modules.conf.xml, and now with 'fs_cli -x \"load "+missing[0]+"\"'")
	} else {
		c.ok("modules", strings.Join(needed, ", "))
	}
	return nil
}

func (c *checker) applications(ctx context.Context) error {
	needed := []string{"answer", "conference", "eavesdrop", "hangup", "park", "playback", "set", "start_dtmf", "unset"}
	if c.s.DialIn != "" {
		needed = append(needed, "play_and_get_digits", "socket")
	}
	answer, err := c.ask(ctx, fsapi.Applications())
	if err != nil {
		return err
	}
	var list struct {
		Rows []struct {
			Name string `json:"name"`
		} `json:"rows"`
	}
	if err := json.Unmarshal([]byte(answer), &list); err != nil {
		c.bad("applications", fmt.Sprintf("the switch answers %q", clip(answer)), doRights)
		return nil
	}
	have := map[string]bool{}
	for _, r := range list.Rows {
		have[r.Name] = true
	}
	missing := slices.DeleteFunc(slices.Clone(needed), func(n string) bool { return have[n] })
	if len(missing) > 0 {
		c.bad("applications", "missing: "+strings.Join(missing, ", "), "Load mod_dptools, mod_conference and mod_event_socket")
	} else {
		c.ok("applications", strings.Join(needed, ", "))
	}
	return nil
}

// locate asks for a part of the configuration as the switch would use it. It
// returns nil and a reason when there is none.
func (c *checker) locate(ctx context.Context, what fsapi.Line) (*node, string, error) {
	answer, err := c.ask(ctx, what)
	switch {
	case err != nil:
		return nil, "", err
	case refused(answer):
		return nil, fmt.Sprintf("the switch answers %q", clip(answer)), nil
	case !strings.HasPrefix(answer, "<"):
		return nil, "the switch has no such configuration", nil
	}
	root, err := parseXML([]byte(answer))
	if err != nil {
		return nil, "the switch's answer cannot be read: " + err.Error(), nil
	}
	return root, "", nil
}

func (c *checker) conference(ctx context.Context) error {
	root, reason, err := c.locate(ctx, fsapi.ConferenceConf())
	if err != nil {
		return err
	}
	var conf *node
	if root != nil {
		if conf = findConference(root); conf == nil {
			reason = "the switch has no " + confName
		}
	}
	for _, part := range []struct {
		check, good string
		problems    func(*node, Settings) []string
	}{
		{"conference profile", `"` + Profile + `" is loaded as it must be; it is read whenever a room is made`, profileProblems},
		{"supervisor keys", c.keys() + " within " + c.s.InterDigit.String() + " of one another", func(conf *node, s Settings) []string {
			return controlsProblems(conf, s, c.lenient)
		}},
	} {
		switch {
		case reason != "":
			c.bad(part.check, reason, c.doInstall())
		default:
			if p := part.problems(conf, c.s); len(p) > 0 {
				c.bad(part.check, shorten(p), c.doInstall())
			} else {
				c.ok(part.check, part.good)
			}
		}
	}
	return nil
}

func (c *checker) keys() string {
	var out []string
	for _, b := range c.s.Keys.bindings() {
		out = append(out, b.Digits+" "+b.Data)
	}
	return strings.Join(out, ", ")
}

// shorten bounds a list of problems that somebody else's configuration made long.
func shorten(problems []string) string {
	const most = 5
	if n := len(problems); n > most {
		problems = append(slices.Clone(problems[:most]), fmt.Sprintf("and %d more", n-most))
	}
	return strings.Join(problems, "; ")
}

func (c *checker) prompts(ctx context.Context) error {
	_, unsafe := fsapi.ParsePath(c.confDir)
	switch {
	case !path.IsAbs(c.confDir):
		c.bad("prompts", fmt.Sprintf("the switch does not tell its configuration folder: %q", clip(c.confDir)), doRights)
		return nil
	case unsafe != nil:
		c.bad("prompts", fmt.Sprintf("the path %q has characters that cannot stand in a command to the switch", clip(c.confDir)),
			"Start the switch with a configuration folder whose path has none (freeswitch -conf)")
		return nil
	}
	ps, err := prompts()
	if err != nil {
		return err
	}
	var missing []string
	for _, p := range ps {
		file, err := fsapi.ParsePath(path.Join(c.confDir, p.Path))
		if err != nil {
			return err // the folder was looked at above
		}
		answer, err := c.ask(ctx, fsapi.FileExists(file))
		if err != nil {
			return err
		}
		if answer != "true" {
			missing = append(missing, path.Base(p.Path))
		}
	}
	if len(missing) > 0 {
		c.bad("prompts", fmt.Sprintf("not in %s: %s", PromptDir(c.confDir), shorten(missing)),
			c.doInstall()+", and let the switch's user read that folder")
	} else {
		c.ok("prompts", fmt.Sprintf("%d files in %s", len(ps), PromptDir(c.confDir)))
	}
	return nil
}

func (c *checker) dialIn(ctx context.Context) error {
	const check = "dial-in extension"
	name, err := fsapi.ParseValue(c.s.Context)
	if err != nil {
		return err // Validate has looked at it
	}
	root, reason, err := c.locate(ctx, fsapi.DialplanContext(name))
	if err != nil {
		return err
	}
	if c.s.DialIn == "" {
		c.noDialIn(check, root)
		return nil
	}
	if root == nil {
		c.bad(check, reason, c.doInstall()+"; if the dialplan comes from elsewhere (mod_xml_curl), add there what 'livemon fsconf show' prints")
		return nil
	}
	ctxNode := findContext(root, c.s.Context)
	if p := dialInProblems(ctxNode, c.s); len(p) > 0 {
		c.bad(check, shorten(p), c.doInstall())
		return nil
	}
	if c.otherFull(check, ctxNode) {
		return nil
	}
	if other := shadow(ctxNode, c.s.DialIn+"1000"); other != "" {
		c.bad(check, fmt.Sprintf("the extension %q comes first and takes the call", clip(other)),
			"Move the include of livemon's folder above it in the context, or choose another dial-in code")
		return nil
	}
	c.ok(check, fmt.Sprintf("%s and an agent's extension, in context %s, calls %s", c.s.DialIn, c.s.Context, c.s.Outbound))
	return nil
}

// noDialIn looks for what an earlier installation has left behind, where nobody
// is to dial in.
func (c *checker) noDialIn(check string, root *node) {
	if root == nil {
		c.ok(check, "none is wanted")
		return
	}
	ctxNode := findContext(root, c.s.Context)
	if ctxNode != nil {
		if ext := findExtension(ctxNode); ext != nil {
			if addr := fullSocket(ext, ""); addr != "" {
				c.bad(check, "none is wanted, and there is one: "+fullProblem(addr), c.doInstall())
				return
			}
		}
	}
	if !c.otherFull(check, ctxNode) {
		c.ok(check, "none is wanted")
	}
}

// otherFull makes a finding of an extension of the shop's that connects calls to
// livemon with more rights than it needs.
func (c *checker) otherFull(check string, context *node) bool {
	ext := otherFull(context, c.s)
	if ext == nil {
		return false
	}
	addr, _ := c.s.socketAddress()
	c.bad(check, fmt.Sprintf("the extension %q is not livemon's: %s", clip(ext.attr("name")), fullProblem(addr)),
		"Take 'full' out of that extension, then 'fs_cli -x reloadxml'")
	return true
}

// shadow returns the name of an extension ahead of the dial-in one which takes
// every call to the number for itself. Only extensions that look at nothing but
// the number are judged.
func shadow(context *node, number string) string {
	for _, e := range context.all("extension") {
		if e.attr("name") == dialInName {
			return ""
		}
		if strings.EqualFold(e.attr("continue"), "true") || len(e.all("condition")) == 0 {
			continue
		}
		if !slices.ContainsFunc(e.all("condition"), func(n *node) bool { return !matches(n, number) }) {
			return e.attr("name")
		}
	}
	return ""
}

func matches(condition *node, number string) bool {
	const longest = 1000
	for _, a := range condition.attrs {
		if a.Name != "field" && a.Name != "expression" {
			return false
		}
	}
	expr := condition.attr("expression")
	if condition.attr("field") != "destination_number" || expr == "" || len(expr) > longest {
		return false
	}
	re, err := regexp.Compile(expr)
	return err == nil && re.MatchString(number)
}
