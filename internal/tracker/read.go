package tracker

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"livemon/internal/identity"
	"livemon/internal/seal"
)

// ReadError is an answer of the switch that could not be understood.
type ReadError struct {
	Part string // which of SnapshotCommands
	Err  error
}

func (e *ReadError) Error() string {
	return "cannot read the switch's answer to '" + e.Part + "': " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *ReadError) Unwrap() error { return e.Err }

// ErrNoAnswer is the cause where the switch has no answer, as when its tables
// are switched off.
var ErrNoAnswer = errors.New("the switch does not say")

// read is a Snapshot, understood and cleaned.
type read struct {
	channels []channelRow
	bridges  []bridgeRow
	regs     []regRow
	members  []memberRow
	agents   []ccRow
	users    []string
	vars     map[string]map[string]string
	serves   map[string]string // mod_callcenter's agents, by the channel that is theirs
}

type channelRow struct {
	id, direction, name, cid, dest, presence string
	created                                  time.Time
	answered, held                           bool
}

type bridgeRow struct {
	a, b  string
	since time.Time
}

type regRow struct {
	id, token string
	until     time.Time
}

type memberRow struct {
	room, channel string
	id            int
	joined        time.Duration // ago
}

type ccRow struct {
	name, uuid, contact     string
	standby, loggedOut      bool
	wrapTime                time.Duration
	bridgeEnd, statusChange time.Time
}

func parseSnapshot(s Snapshot) (*read, error) {
	r := &read{}
	cmds := SnapshotCommands()
	steps := []func() error{
		func() error { return r.parseChannels(s.Channels) },
		func() error { return r.parseCalls(s.Calls) },
		func() error { return r.parseRegistrations(s.Registrations) },
		func() error { return r.parseConferences(s.Conferences) },
		func() error { return r.parseAgents(s.CCAgents) },
		func() error { return r.parseUsers(s.Users) },
	}
	for i, step := range steps {
		if err := step(); err != nil {
			return nil, &ReadError{Part: cmds[i].String(), Err: err}
		}
	}
	r.parseVars(s.Vars)
	return r, nil
}

// text is a JSON value of which only its text counts. The switch writes
// strings; anything else but a number counts as empty.
type text string

func (t *text) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		*t = text(s)
		return nil
	}
	if len(b) > 0 && (b[0] == '-' || b[0] >= '0' && b[0] <= '9') {
		*t = text(b)
	}
	return nil
}

func absent(b []byte) bool {
	b = bytes.TrimSpace(b)
	return len(b) == 0 || b[0] == '-'
}

// rows decodes an answer to "show … as json".
func rows[R any](b []byte) ([]R, error) {
	var table *struct {
		Rows []R `json:"rows"`
	}
	if err := json.Unmarshal(b, &table); err != nil {
		return nil, err
	}
	if table == nil {
		return nil, errors.New("no table")
	}
	return table.Rows, nil
}

func (r *read) parseChannels(b []byte) error {
	if absent(b) {
		return ErrNoAnswer
	}
	type row struct {
		UUID, Direction, Name, State, Callstate text
		Presence                                text `json:"presence_id"`
		Epoch                                   text `json:"created_epoch"`
		CID                                     text `json:"initial_cid_num"`
		Dest                                    text `json:"initial_dest"`
	}
	table, err := rows[row](b)
	if err != nil {
		return err
	}
	for _, x := range table {
		c := channelRow{id: channelID(string(x.UUID)), name: name(string(x.Name)), cid: string(x.CID), dest: string(x.Dest),
			presence: string(x.Presence), created: seconds(string(x.Epoch))}
		switch x.State {
		case "CS_HANGUP", "CS_REPORTING", "CS_DESTROY":
			continue
		}
		switch x.Direction {
		case Inbound, Outbound:
			c.direction = string(x.Direction)
		}
		switch x.Callstate {
		case "HANGUP":
			continue
		case "HELD":
			c.answered, c.held = true, true
		case "ACTIVE", "UNHELD", "RING_WAIT":
			c.answered = true
		}
		if c.id != "" {
			r.channels = append(r.channels, c)
		}
	}
	return nil
}

func (r *read) parseCalls(b []byte) error {
	if absent(b) {
		return ErrNoAnswer
	}
	type row struct {
		UUID  text
		BUUID text `json:"b_uuid"`
		Epoch text `json:"call_created_epoch"`
	}
	table, err := rows[row](b)
	if err != nil {
		return err
	}
	for _, x := range table {
		if x.BUUID != "" { // a channel without a partner is in the table too
			r.bridges = append(r.bridges, bridgeRow{a: channelID(string(x.UUID)), b: channelID(string(x.BUUID)), since: seconds(string(x.Epoch))})
		}
	}
	return nil
}

func (r *read) parseRegistrations(b []byte) error {
	if absent(b) {
		return nil
	}
	type row struct {
		User    text `json:"reg_user"`
		Realm   text `json:"realm"`
		Token   text `json:"token"`
		Expires text `json:"expires"`
	}
	table, err := rows[row](b)
	if err != nil {
		return err
	}
	for _, x := range table {
		id := identity.User(string(x.User) + "@" + string(x.Realm))
		if id == "" {
			continue
		}
		reg := regRow{id: id, token: string(x.Token), until: seconds(string(x.Expires))}
		if !reg.until.IsZero() {
			reg.until = reg.until.Add(regMargin)
		}
		r.regs = append(r.regs, reg)
	}
	return nil
}

func (r *read) parseConferences(b []byte) error {
	if absent(b) || bytes.HasPrefix(b, []byte("+OK")) {
		return nil
	}
	var rooms []struct {
		Name    text `json:"conference_name"`
		Members []struct {
			UUID text `json:"uuid"`
			ID   text `json:"id"`
			Join text `json:"join_time"`
		} `json:"members"`
	}
	if err := json.Unmarshal(b, &rooms); err != nil {
		return err
	}
	for _, room := range rooms {
		if room.Name == "" {
			continue
		}
		for _, m := range room.Members {
			if m.UUID == "" { // the conference's own recorder
				continue
			}
			row := memberRow{room: name(string(room.Name)), channel: channelID(string(m.UUID))}
			if id, err := strconv.Atoi(string(m.ID)); err == nil && id > 0 {
				row.id = id
			}
			if s, err := strconv.ParseInt(string(m.Join), 10, 32); err == nil && s > 0 {
				row.joined = time.Duration(s) * time.Second
			}
			r.members = append(r.members, row)
		}
	}
	return nil
}

// parseAgents reads mod_callcenter's table. Its separator is not quoted: of the
// columns only the contact may contain one, and a row that does not fit is left
// out.
func (r *read) parseAgents(s string) error {
	if absent([]byte(s)) {
		return nil
	}
	head, body, _ := strings.Cut(s, "\n")
	head = strings.TrimSpace(head)
	if strings.HasPrefix(head, "+OK") {
		return nil
	}
	columns := strings.Split(head, "|")
	at := map[string]int{}
	for i, c := range columns {
		at[c] = i
	}
	middle, ok := at["contact"]
	if _, named := at["name"]; !ok || !named {
		return fmt.Errorf("no table of agents: %.80q", head)
	}
	for line := range strings.Lines(body) {
		fields := strings.Split(strings.TrimRight(line, "\r\n"), "|")
		if extra := len(fields) - len(columns); extra > 0 {
			whole := strings.Join(fields[middle:middle+extra+1], "|")
			fields = append(append(fields[:middle:middle], whole), fields[middle+extra+1:]...)
		}
		if len(fields) != len(columns) {
			continue
		}
		get := func(column string) string {
			i, ok := at[column]
			if !ok || fields[i] == "(null)" {
				return ""
			}
			return fields[i]
		}
		if get("name") == "" {
			continue
		}
		row := ccRow{
			name: name(get("name")), uuid: channelID(get("uuid")), contact: get("contact"),
			standby: get("type") == "uuid-standby", loggedOut: get("status") == "Logged Out",
			bridgeEnd: seconds(get("last_bridge_end")), statusChange: seconds(get("last_status_change")),
		}
		if n, err := strconv.ParseInt(get("wrap_up_time"), 10, 32); err == nil && n > 0 {
			row.wrapTime = time.Duration(n) * time.Second
		}
		r.agents = append(r.agents, row)
		if len(r.agents) >= maxAgents {
			break
		}
	}
	return nil
}

func (r *read) parseUsers(s string) error {
	if absent([]byte(s)) {
		return nil
	}
	head, body, _ := strings.Cut(s, "\n")
	if !strings.HasPrefix(head, "userid|context|domain|") {
		return fmt.Errorf("no table of users: %.80q", head)
	}
	for line := range strings.Lines(body) {
		fields := strings.SplitN(line, "|", 4)
		if len(fields) == 4 {
			if id := identity.User(fields[0] + "@" + fields[2]); id != "" {
				r.users = append(r.users, id)
			}
		}
	}
	return nil
}

// parseVars cleans the channels' variables and headers.
func (r *read) parseVars(vars map[string]map[string]string) {
	r.vars = make(map[string]map[string]string, len(vars))
	wanted := slices.Concat(SnapshotVars(), plainHeaders(), []string{createdTime})
	for channel, of := range vars {
		if of == nil {
			continue
		}
		clean := make(map[string]string, len(of))
		for _, k := range wanted {
			if v := of[k]; v != "" && v != "_undef_" && !strings.HasPrefix(v, "-ERR") {
				clean[k] = name(v)
			}
		}
		if v := of[seal.Variable]; v != "" && len(v) <= seal.MaxValue {
			clean[seal.Variable] = v // only whole does it open
		}
		r.vars[channel] = clean
	}
	r.serves = map[string]string{}
	for _, a := range r.agents {
		if a.uuid != "" {
			r.serves[a.uuid] = a.name
		}
	}
}
