package switchsim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// tableLag is how long 'show' is behind: a real switch writes its tables late.
const tableLag = 50 * time.Millisecond

// row is a channel as 'show channels' has it.
type row struct {
	seq    int
	fields []header
	pos    map[string]string
}

// table is what 'show' prints: the channels, and which are bridged.
type table struct {
	rows    map[string]*row
	bridges []bridgedRow
}

type bridgedRow struct {
	a, b  string
	since time.Time
}

// touchRow brings a channel's row up to date, a little later.
func (s *Switch) touchRow(ch *channel) {
	if ch.rowPending {
		return
	}
	ch.rowPending = true
	s.after(tableLag, func() {
		ch.rowPending = false
		if s.rows.rows == nil {
			s.rows.rows = map[string]*row{}
		}
		if ch.gone {
			delete(s.rows.rows, ch.uuid)
			return
		}
		s.rows.rows[ch.uuid] = s.rowOf(ch)
	})
}

// bridgeRow records a bridge, or its end.
func (s *Switch) bridgeRow(a, b *channel, up bool) {
	at := s.now
	s.after(tableLag, func() {
		if up {
			s.rows.bridges = append(s.rows.bridges, bridgedRow{a.uuid, b.uuid, at})
			return
		}
		s.rows.bridges = slices.DeleteFunc(s.rows.bridges, func(r bridgedRow) bool { return r.a == a.uuid && r.b == b.uuid })
	})
}

func (s *Switch) rowOf(ch *channel) *row {
	codec, rate, bits := "", "", ""
	if ch.media {
		codec, rate, bits = "PCMU", "8000", "64000"
	}
	app, data := "", ""
	if ch.top() != nil || ch.bridge != nil && ch.bridge.a == ch {
		app, data = ch.value("current_application"), ch.value("current_application_data")
	}
	callee := ch.p.calleeNum
	peer := ""
	if ch.bridge != nil {
		peer = ch.bridge.peer(ch).number
	}
	f := []header{{"uuid", ch.uuid}, {"direction", ch.direction}, {"created", ch.t.created.Local().Format("2006-01-02 15:04:05")},
		{"created_epoch", unix(ch.t.created)}, {"name", ch.name}, {"state", "CS_" + ch.state}, {"cid_name", ch.p.cidName}, {"cid_num", ch.p.cidNum},
		{"ip_addr", "127.0.0.1"}, {"dest", ch.p.dest}, {"application", app}, {"application_data", data}, {"dialplan", ch.p.dialplan},
		{"context", ch.p.ctxt}, {"read_codec", codec}, {"read_rate", rate}, {"read_bit_rate", bits}, {"write_codec", codec}, {"write_rate", rate},
		{"write_bit_rate", bits}, {"secure", ""}, {"hostname", s.opt.Hostname}, {"presence_id", ch.presence}, {"presence_data", ""},
		{"accountcode", ch.value("accountcode")}, {"callstate", ch.callState}, {"callee_name", callee}, {"callee_num", callee},
		{"callee_direction", "SEND"}, {"call_uuid", ch.callUUID}, {"sent_callee_name", peer}, {"sent_callee_num", peer},
		{"initial_cid_name", ch.p.origName}, {"initial_cid_num", ch.p.origNum}, {"initial_ip_addr", "127.0.0.1"}, {"initial_dest", ch.p.dest},
		{"initial_dialplan", "XML"}, {"initial_context", "default"}}
	r := &row{seq: ch.seq, fields: f, pos: make(map[string]string, len(f))}
	for _, h := range f {
		r.pos[h.name] = h.value
	}
	return r
}

// callColumns are the columns of 'show calls', twice: the second time with b_.
var callColumns = strings.Fields(`uuid direction created created_epoch name state cid_name cid_num ip_addr dest presence_id
	presence_data accountcode callstate callee_name callee_num callee_direction call_uuid hostname sent_callee_name sent_callee_num`)

var callColumnsB = slices.DeleteFunc(slices.Clone(callColumns), func(c string) bool { return c == "call_uuid" || c == "hostname" })

// apiShow is 'show WHAT [as json]'.
func (s *Switch) apiShow(arg string) string {
	words := strings.Fields(arg)
	asJSON := len(words) >= 2 && strings.EqualFold(words[len(words)-2], "as") && strings.EqualFold(words[len(words)-1], "json")
	what := ""
	if len(words) > 0 {
		what = strings.ToLower(words[0])
	}
	var rows [][]header
	switch what {
	case "channels":
		for _, r := range s.sortedRows() {
			rows = append(rows, r.fields)
		}
	case "calls", "bridged_calls", "basic_calls", "detailed_calls", "detailed_bridged_calls":
		rows = s.callRows(!strings.Contains(what, "bridged"))
	case "registrations":
		for _, r := range s.regs {
			rows = append(rows, r.row(s))
		}
	case "modules":
		for _, m := range s.opt.Modules {
			rows = append(rows, []header{{"type", "generic"}, {"name", m}, {"ikey", m}, {"filename", "/usr/local/freeswitch/mod/" + m + ".so"}})
		}
	case "application":
		for _, name := range applicationNames() {
			rows = append(rows, []header{{"name", name}, {"description", ""}, {"syntax", ""}, {"ikey", "mod_dptools"}})
		}
	default:
		return "-USAGE: codec|endpoint|application|api|dialplan|file|timer|calls [count]|channels [count|like <match string>]|calls|detailed_calls|" +
			"bridged_calls|detailed_bridged_calls|aliases|complete|chat|management|modules|nat_map|say|interfaces|interface_types|tasks|limits|status\n"
	}
	if len(words) > 1 && strings.EqualFold(words[1], "count") {
		if asJSON {
			return `{"row_count":` + strconv.Itoa(len(rows)) + "}\n"
		}
		return "\n" + strconv.Itoa(len(rows)) + " total.\n"
	}
	if asJSON {
		return rowsJSON(rows)
	}
	return rowsText(rows)
}

func (s *Switch) sortedRows() []*row {
	list := make([]*row, 0, len(s.rows.rows))
	for _, r := range s.rows.rows {
		list = append(list, r)
	}
	slices.SortFunc(list, func(a, b *row) int { return a.seq - b.seq })
	return list
}

func (s *Switch) callRows(single bool) [][]header {
	type pair struct {
		a, b  *row
		since time.Time
	}
	var pairs []pair
	second := map[string]bool{}
	first := map[string]bool{}
	for _, br := range s.rows.bridges {
		a, b := s.rows.rows[br.a], s.rows.rows[br.b]
		if a != nil && b != nil {
			pairs = append(pairs, pair{a, b, br.since})
			first[br.a], second[br.b] = true, true
		}
	}
	if single {
		for _, r := range s.sortedRows() {
			if uuid := r.pos["uuid"]; !first[uuid] && !second[uuid] {
				pairs = append(pairs, pair{a: r})
			}
		}
	}
	slices.SortFunc(pairs, func(x, y pair) int { return x.a.seq - y.a.seq })
	var out [][]header
	for _, p := range pairs {
		f := make([]header, 0, 2*len(callColumns)+1)
		for _, c := range callColumns {
			f = append(f, header{c, p.a.pos[c]})
		}
		for _, c := range callColumnsB {
			v := ""
			if p.b != nil {
				v = p.b.pos[c]
			}
			f = append(f, header{"b_" + c, v})
		}
		since := ""
		if p.b != nil {
			since = unix(p.since)
		}
		out = append(out, append(f, header{"call_created_epoch", since}))
	}
	return out
}

func rowsJSON(rows [][]header) string {
	if len(rows) == 0 {
		return "{\"row_count\": 0}\n"
	}
	var b strings.Builder
	b.WriteString(`{"row_count":` + strconv.Itoa(len(rows)) + `,"rows":[`)
	for i, r := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		e := event{headers: r}
		b.WriteString(e.object())
	}
	b.WriteString("]}\n")
	return b.String()
}

func rowsText(rows [][]header) string {
	var b strings.Builder
	for i, r := range rows {
		var names, values []string
		for _, h := range r {
			names, values = append(names, h.name), append(values, h.value)
		}
		if i == 0 {
			b.WriteString(strings.Join(names, ",") + "\n")
		}
		b.WriteString(strings.Join(values, ",") + "\n")
	}
	b.WriteString("\n" + strconv.Itoa(len(rows)) + " total.\n")
	return b.String()
}

// registration is a registered telephone.
type registration struct {
	user, token string
	expires     time.Time
}

func (r *registration) row(s *Switch) []header {
	return []header{{"reg_user", r.user}, {"realm", s.opt.Domain}, {"token", r.token},
		{"url", "sofia/internal/sip:" + r.user + "@127.0.0.1:5090"}, {"expires", unix(r.expires)}, {"network_ip", "127.0.0.1"},
		{"network_port", "5090"}, {"network_proto", "udp"}, {"hostname", s.opt.Hostname}, {"metadata", ""}}
}

func (s *Switch) register(number string) {
	s.unlist(number)
	r := &registration{user: number, token: newUUID(), expires: s.now.Add(time.Hour)}
	s.regs = append(s.regs, r)
	s.regEvent("sofia::register", r, header{"status", "Registered(UDP)"}, header{"expires", "3600"})
}

func (s *Switch) unregister(number string) {
	if r := s.unlist(number); r != nil {
		s.regEvent("sofia::unregister", r, header{"expires", "0"})
	}
}

func (s *Switch) unlist(number string) *registration {
	for i, r := range s.regs {
		if r.user == number {
			s.regs = slices.Delete(s.regs, i, i+1)
			return r
		}
	}
	return nil
}

func (s *Switch) regEvent(subclass string, r *registration, more ...header) {
	s.fire("CUSTOM", subclass, "", fromRegister, func(e *event) {
		for _, h := range []header{{"profile-name", "internal"}, {"from-user", r.user}, {"from-host", s.opt.Domain},
			{"contact", "<sip:" + r.user + "@127.0.0.1:5090>"}, {"call-id", r.token}, {"rpid", "unknown"}} {
			e.add(h.name, h.value)
		}
		e.headers = append(e.headers, more...)
		for _, h := range []header{{"to-user", r.user}, {"to-host", s.opt.Domain}, {"network-ip", "127.0.0.1"}, {"network-port", "5090"},
			{"username", r.user}, {"realm", s.opt.Domain}, {"user-agent", "phones"}} {
			e.add(h.name, h.value)
		}
	})
}
