package switchsim

import (
	"cmp"
	"fmt"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// api does one api command. done is called once, at once or later, with what is
// printed; the switch is locked then too.
func (s *Switch) api(line string, done func(reply string)) {
	name, arg := cutCommand(line)
	run, known := apiCommands[strings.ToLower(name)]
	if !known {
		done("-ERR " + name + " Command not found!\n")
		return
	}
	run(s, arg, func(reply string) {
		s.fire("API", "", "", fromAPI, func(e *event) {
			e.add("API-Command", name)
			if arg != "" {
				e.add("API-Command-Argument", arg)
			}
		})
		done(cmp.Or(reply, "-ERR no reply\n"))
	})
}

type apiFunc func(s *Switch, arg string, done func(string))

var apiCommands map[string]apiFunc

const (
	noChannel = "-ERR No such channel!\n"
	ok        = "+OK\n"
)

func init() {
	// Most commands answer at once.
	now := func(f func(s *Switch, arg string) string) apiFunc {
		return func(s *Switch, arg string, done func(string)) { done(f(s, arg)) }
	}
	text := func(v string) apiFunc { return func(_ *Switch, _ string, done func(string)) { done(v) } }
	apiCommands = map[string]apiFunc{
		"callcenter_config":  now((*Switch).apiCallcenter),
		"conference":         (*Switch).apiConference,
		"create_uuid":        now(func(*Switch, string) string { return newUUID() }),
		"file_exists":        now(func(s *Switch, arg string) string { return strconv.FormatBool(s.fileExists(arg)) }),
		"global_getvar":      now((*Switch).apiGlobal),
		"global_setvar":      now((*Switch).apiSetGlobal),
		"hostname":           now(func(s *Switch, _ string) string { return s.opt.Hostname }),
		"switchname":         now(func(s *Switch, _ string) string { return s.opt.Hostname }),
		"hupall":             now((*Switch).apiHupall),
		"list_users":         now((*Switch).apiUsers),
		"load":               now((*Switch).apiLoad),
		"module_exists":      now(func(s *Switch, arg string) string { return strconv.FormatBool(slices.Contains(s.opt.Modules, arg)) }),
		"msleep":             func(s *Switch, arg string, done func(string)) { s.after(millis(arg), func() { done(ok) }) },
		"originate":          (*Switch).apiOriginate,
		"reloadxml":          text("+OK [Success]\n"),
		"sched_api":          now((*Switch).apiSchedule),
		"sched_del":          now((*Switch).apiSchedDel),
		"show":               now((*Switch).apiShow),
		"sim":                (*Switch).apiSim,
		"status":             now((*Switch).apiStatus),
		"strepoch":           now(func(s *Switch, _ string) string { return strconv.FormatInt(s.now.Unix(), 10) }),
		"unload":             now((*Switch).apiUnload),
		"user_data":          now((*Switch).apiUserData),
		"unsched_api":        now((*Switch).apiUnsched),
		"user_exists":        now((*Switch).apiUserExists),
		"tone_detect":        now((*Switch).apiToneDetect),
		"uuid_answer":        now((*Switch).apiAnswer),
		"uuid_break":         now((*Switch).apiBreak),
		"uuid_buglist":       now((*Switch).apiBuglist),
		"uuid_record":        now((*Switch).apiRecord),
		"uuid_bridge":        now((*Switch).apiBridge),
		"uuid_broadcast":     now((*Switch).apiBroadcast),
		"uuid_dump":          now((*Switch).apiDump),
		"uuid_exists":        now(func(s *Switch, arg string) string { return strconv.FormatBool(s.live(strings.TrimSpace(arg)) != nil) }),
		"uuid_getvar":        now((*Switch).apiGetvar),
		"uuid_hold":          now((*Switch).apiHold),
		"uuid_jitterbuffer":  now((*Switch).apiJitterBuffer),
		"uuid_kill":          now((*Switch).apiKill),
		"uuid_park":          now((*Switch).apiPark),
		"uuid_send_dtmf":     now((*Switch).apiSendDTMF),
		"uuid_recv_dtmf":     now((*Switch).apiRecvDTMF),
		"uuid_setvar":        now((*Switch).apiSetvar),
		"uuid_setvar_multi":  now((*Switch).apiSetvarMulti),
		"uuid_transfer":      now((*Switch).apiTransfer),
		"uuid_dual_transfer": now((*Switch).apiDualTransfer),
		"verto":              now((*Switch).apiVerto),
		"verto_contact":      now((*Switch).apiVertoContact),
		"version":            text("FreeSWITCH Version " + version + "-release+simulated (simulated)\n"),
		// All calls of the simulation have their media on the switch already.
		"uuid_media": now(func(*Switch, string) string { return "-ERR Operation failed\n" }),
		"xml_locate": now((*Switch).apiXML),
	}
}

func (s *Switch) initialGlobals() []header {
	base := path.Dir(s.opt.ConfDir)
	return []header{{"hostname", s.opt.Hostname}, {"local_ip_v4", "127.0.0.1"}, {"base_dir", base}, {"conf_dir", s.opt.ConfDir},
		{"sounds_dir", base + "/sounds"}, {"recordings_dir", base + "/recordings"}, {"log_dir", base + "/log"}, {"run_dir", base + "/run"},
		{"db_dir", base + "/db"}, {"mod_dir", base + "/mod"}, {"script_dir", base + "/scripts"}, {"storage_dir", base + "/storage"},
		{"temp_dir", os.TempDir()}, {"core_uuid", s.coreUUID}, {"domain", s.opt.Domain}, {"domain_name", s.opt.Domain},
		{"hold_music", "local_stream://moh"}, {"switchname", s.opt.Hostname}}
}

func (s *Switch) global(name string) (string, bool) {
	for _, v := range s.globals {
		if v.name == name {
			return v.value, true
		}
	}
	return "", false
}

func (s *Switch) apiGlobal(arg string) string {
	if arg == "" {
		out := ""
		for _, v := range s.globals {
			out += v.name + "=" + v.value + "\n"
		}
		return out
	}
	v, _ := s.global(strings.TrimSpace(arg))
	return v
}

func (s *Switch) apiSetGlobal(arg string) string {
	name, value, ok2 := strings.Cut(arg, "=")
	if !ok2 || name == "" {
		return "-USAGE: <var>=<value> [=<value2>]\n"
	}
	s.globals = slices.DeleteFunc(s.globals, func(v header) bool { return v.name == name })
	if len(s.globals) < maxVariables {
		s.globals = append(s.globals, header{name, value})
	}
	return "+OK"
}

func (s *Switch) fileExists(name string) bool {
	if s.opt.Files != nil {
		return s.opt.Files[name]
	}
	return strings.HasPrefix(path.Clean(name), path.Dir(s.opt.ConfDir)+"/")
}

func (s *Switch) apiXML(arg string) string {
	words := strings.Fields(arg)
	if len(words) != 1 && len(words) != 4 {
		return "-ERR bad args\n"
	}
	if slices.Equal(words, []string{"configuration", "configuration", "name", "conference.conf"}) {
		return s.conf.text
	}
	if slices.Equal(words, []string{"configuration", "configuration", "name", "sofia.conf"}) {
		return s.sofiaXML()
	}
	if len(words) == 4 && slices.Equal(words[:3], []string{"dialplan", "context", "name"}) {
		if c := s.contexts[words[3]]; c != nil {
			return c.text
		}
		if s.opt.DialplanXML != "" {
			return s.opt.DialplanXML
		}
	}
	return "can't find anything\n"
}

func (s *Switch) apiStatus(string) string {
	up := s.now.Sub(s.started)
	n := len(s.order)
	return fmt.Sprintf("UP 0 years, %d days, %d hours, %d minutes, %d seconds, %d milliseconds, %d microseconds\n"+
		"FreeSWITCH (Version %s-release simulated) is ready\n%d session(s) since startup\n%d session(s) - peak %d, last 5min %d \n"+
		"0 session(s) per Sec out of max 200, peak 0, last 5min 0 \n10000 session(s) max\nmin idle cpu 0.00/99.00\nCurrent Stack Size/Max 240K/8192K\n",
		int(up.Hours())/24, int(up.Hours())%24, int(up.Minutes())%60, int(up.Seconds())%60, up.Milliseconds()%1000, up.Microseconds()%1000,
		version, s.sessions, n, n, n)
}

func (s *Switch) apiLoad(arg string) string {
	if slices.Contains(s.opt.Modules, arg) {
		return "+OK Reloading XML\n-ERR [Module already loaded]\n"
	}
	s.opt.Modules = append(slices.Clone(s.opt.Modules), arg)
	return "+OK Reloading XML\n+OK\n"
}

func (s *Switch) apiUnload(arg string) string {
	if !slices.Contains(s.opt.Modules, arg) {
		return "-ERR [No such module!]\n"
	}
	s.opt.Modules = slices.DeleteFunc(slices.Clone(s.opt.Modules), func(m string) bool { return m == arg })
	return ok
}

func (s *Switch) apiUserExists(arg string) string {
	a := append(fields(arg, 3), "", "", "")
	return strconv.FormatBool(a[0] == "id" && s.inDirectory(a[1]) && a[2] == s.opt.Domain)
}

func (s *Switch) apiUsers(string) string {
	out := "userid|context|domain|group|contact|callgroup|effective_caller_id_name|effective_caller_id_number\n"
	for _, u := range s.opt.Users {
		contact := "error/user_not_registered"
		if slices.ContainsFunc(s.regs, func(r *registration) bool { return r.user == u }) {
			contact = "sofia/internal/sip:" + u + "@127.0.0.1:5090"
		}
		out += strings.Join([]string{u, "default", s.opt.Domain, "default", contact, "", "Extension " + u, u}, "|") + "\n"
	}
	return out + "\n+OK\n"
}

// apiHupall hangs up all channels, or those with all of the variables that are given.
func (s *Switch) apiHupall(arg string) string {
	a := append(fields(arg, 11), "")
	cause := cmp.Or(strings.ToUpper(a[0]), "MANAGER_REQUEST")
	var vars []header
	for i := 1; i+1 < len(a)-1; i += 2 {
		vars = append(vars, header{a[i], a[i+1]})
	}
	for _, ch := range slices.Clone(s.order) {
		if !slices.ContainsFunc(vars, func(v header) bool { got, _ := s.variable(ch, v.name); return got != v.value }) {
			s.hangup(ch, cause)
		}
	}
	switch len(vars) {
	case 0:
		return "+OK hangup all channels with cause " + cause + "\n"
	case 1:
		return "+OK hangup all channels matching [" + a[1] + "]=[" + a[2] + "] with cause: " + cause + "\n"
	}
	return "+OK hangup all channels matching [" + a[1] + "]=[" + a[2] + "]... with cause: " + cause + "\n"
}

func (s *Switch) apiGetvar(arg string) string {
	a := fields(arg, 4)
	if len(a) < 2 {
		return "-USAGE: <uuid> <var>\n"
	}
	ch := s.live(a[0])
	if ch == nil {
		return noChannel
	}
	if v, ok := s.variable(ch, a[1]); ok {
		return v
	}
	return "_undef_"
}

// maxVariables bounds what commands may pile up on a channel.
const maxVariables = 2000

func (s *Switch) apiSetvar(arg string) string {
	a := fields(arg, 3)
	if len(a) < 2 {
		return "-USAGE: <uuid> <var> [value]\n"
	}
	ch := s.live(a[0])
	if ch == nil {
		return noChannel
	}
	value := ""
	if len(a) == 3 {
		value = a[2]
	}
	if len(ch.vars) < maxVariables {
		ch.set(a[1], value)
	}
	return ok
}

func (s *Switch) apiSetvarMulti(arg string) string {
	uuid, list, found := strings.Cut(arg, " ")
	if !found {
		return "-USAGE: <uuid> <var>=<value>;<var>=<value>...\n"
	}
	ch := s.live(uuid)
	if ch == nil {
		return noChannel + "-USAGE: <uuid> <var>=<value>;<var>=<value>...\n"
	}
	for _, item := range split(list, ';') {
		if name, value, _ := strings.Cut(item, "="); name != "" && len(ch.vars) < maxVariables {
			ch.set(name, value)
		}
	}
	return ok
}

func (s *Switch) apiDump(arg string) string {
	a := fields(arg, 2)
	if len(a) == 0 {
		return "-USAGE: <uuid> [format]\n"
	}
	ch := s.live(a[0])
	if ch == nil {
		return noChannel
	}
	e := s.newEvent("CHANNEL_DATA", "", ch.uuid, fromDump)
	ch.data(e)
	switch {
	case len(a) > 1 && strings.EqualFold(a[1], "json"):
		return e.object()
	case len(a) > 1 && strings.EqualFold(a[1], "plain"):
		return e.text(false)
	}
	return e.text(true)
}

func (s *Switch) apiKill(arg string) string {
	uuid, cause := word(arg)
	ch := s.live(uuid)
	if ch == nil {
		return noChannel
	}
	s.hangup(ch, strings.ToUpper(strings.TrimSpace(cause)))
	return ok
}

func (s *Switch) apiPark(arg string) string {
	ch := s.live(strings.TrimSpace(arg))
	if ch == nil {
		return noChannel
	}
	s.park(ch)
	return ok
}

func (s *Switch) apiAnswer(arg string) string {
	ch := s.live(strings.TrimSpace(arg))
	if ch == nil {
		return noChannel
	}
	s.answer(ch)
	return ok
}

func (s *Switch) apiBridge(arg string) string {
	a := fields(arg, 4)
	if len(a) < 2 {
		return "-USAGE: <uuid> <other_uuid>\n"
	}
	for _, other := range a[1:min(len(a), 3)] {
		if s.uuidBridge(s.live(a[0]), s.live(other)) {
			return "+OK " + other + "\n"
		}
	}
	return "-ERR Invalid uuid\n"
}

const transferUsage = "-USAGE: <uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]\n"

func (s *Switch) apiTransfer(arg string) string {
	a := fields(arg, 5)
	if len(a) < 2 {
		return transferUsage
	}
	ch := s.live(a[0])
	if ch == nil {
		return noChannel
	}
	rest := append(a[1:], "", "", "", "")
	if opt, isOpt := strings.CutPrefix(rest[0], "-"); isOpt {
		rest = rest[1:]
		// Whether there is a partner makes no difference to the answer.
		other := s.live(ch.value("bridge_to"))
		switch strings.ToLower(opt) {
		case "bleg":
			if other != nil {
				ch = other
			}
		case "both":
			if other != nil {
				s.transfer(other, rest[0], rest[1], rest[2])
			}
		}
	}
	if !s.transfer(ch, rest[0], rest[1], rest[2]) {
		return "-ERR\n"
	}
	return ok
}

// apiDualTransfer sends the two legs of a bridge to different places.
func (s *Switch) apiDualTransfer(arg string) string {
	a := fields(arg, 3)
	if len(a) < 3 {
		return "-USAGE: <uuid> <A-dest-exten>[/<A-dialplan>][/<A-context>] <B-dest-exten>[/<B-dialplan>][/<B-context>]\n"
	}
	ch := s.live(a[0])
	if ch == nil {
		return noChannel
	}
	to := func(text string) []string { return append(strings.SplitN(text, "/", 3), "", "", "") }
	if other := s.live(ch.value("bridge_to")); other != nil {
		b := to(a[2])
		s.transfer(other, b[0], b[1], b[2])
	}
	b := to(a[1])
	s.transfer(ch, b[0], b[1], b[2])
	return ok
}

func (s *Switch) apiSendDTMF(arg string) string {
	a := fields(arg, 2)
	if len(a) < 2 {
		return "-USAGE: <uuid> <dtmf_data>\n"
	}
	ch := s.live(a[0])
	if ch == nil {
		return "-ERR Cannot locate session!\n"
	}
	keys, _, _ := strings.Cut(a[1], "@")
	s.sendKeys(ch, keys)
	return "+OK " + a[0] + " sent DTMF " + a[1] + ".\n"
}

// apiRecvDTMF acts as if the telephone had pressed keys.
func (s *Switch) apiRecvDTMF(arg string) string {
	a := fields(arg, 2)
	if len(a) < 2 {
		return "-USAGE: <uuid> <dtmf_data>\n"
	}
	ch := s.live(a[0])
	if ch == nil {
		return "-ERR Cannot locate session!\n"
	}
	keys, _, _ := strings.Cut(a[1], "@")
	for i := range len(keys) {
		s.press(ch, keys[i], fromApp)
	}
	return "+OK " + a[0] + " received DTMF " + a[1] + ".\n"
}

func (s *Switch) apiBroadcast(arg string) string {
	a := append(fields(arg, 3), "", "")
	ch := s.live(a[0])
	if a[1] == "" {
		return "-USAGE: <uuid> <path> [aleg|bleg|holdb|both]\n"
	}
	if ch == nil {
		return "-ERR invalid uuid\n"
	}
	legs := strings.ToLower(cmp.Or(a[2], "aleg"))
	var other *channel
	if ch.bridge != nil {
		other = ch.bridge.peer(ch)
	}
	do := step{app: "playback", data: a[1]}
	if app, data, isApp := strings.Cut(a[1], "::"); isApp {
		do = step{app: app, data: data}
	}
	if legs == "aleg" || legs == "both" {
		s.enqueue(ch, do)
	}
	if other != nil && (legs == "bleg" || legs == "both") {
		s.enqueue(other, do)
	}
	return "+OK Message sent\n"
}

func (s *Switch) apiBreak(arg string) string {
	uuid, how := word(arg)
	ch := s.live(uuid)
	if ch == nil {
		return noChannel
	}
	if how == "all" {
		ch.inbox = nil
	}
	if a := ch.top(); a != nil && strings.Contains(a.app, "play") {
		s.finish(a)
	}
	return ok
}

const originateUsage = "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] [<cid_name>] [<cid_num>] [<timeout_sec>]\n"

func (s *Switch) apiOriginate(arg string, done func(string)) {
	a := fields(arg, 10)
	if len(a) < 2 || len(a) > 7 {
		done(originateUsage)
		return
	}
	a = append(a, "", "", "", "", "")
	for i, v := range a {
		if strings.EqualFold(v, "undef") {
			a[i] = ""
		}
	}
	var vars []header
	if a[4] != "" {
		vars = append(vars, header{"origination_caller_id_name", a[4]})
	}
	if a[5] != "" {
		vars = append(vars, header{"origination_caller_id_number", a[5]})
	}
	timeout := 60 * time.Second
	if n, err := strconv.Atoi(a[6]); err == nil && n > 0 {
		timeout = time.Duration(n) * time.Second
	}
	s.dial(nil, a[0], vars, timeout, func(ch *channel, cause string) {
		if ch == nil {
			done("-ERR " + cause + "\n")
			return
		}
		if app, isApp := strings.CutPrefix(a[1], "&"); isApp && app != "" {
			app, _, _ = strings.Cut(app, ")")
			name, data, _ := strings.Cut(app, "(")
			ch.plan = []step{{app: name, data: data}}
			s.setState(ch, "EXECUTE")
			s.after(0, func() { s.proceed(ch) })
		} else {
			s.transfer(ch, a[1], cmp.Or(a[2], "XML"), cmp.Or(a[3], "default"))
		}
		done("+OK " + ch.uuid + "\n")
	})
}

// heartbeat is the switch's sign of life.
func (s *Switch) heartbeat() {
	up := s.now.Sub(s.started)
	n := strconv.Itoa(len(s.order))
	s.fire("HEARTBEAT", "", "", fromBeat, func(e *event) {
		for _, h := range []header{{"Event-Info", "System Ready"},
			{"Up-Time", fmt.Sprintf("0 years, %d days, %d hours, %d minutes, %d seconds, %d milliseconds, %d microseconds", int(up.Hours())/24,
				int(up.Hours())%24, int(up.Minutes())%60, int(up.Seconds())%60, up.Milliseconds()%1000, up.Microseconds()%1000)},
			{"FreeSWITCH-Version", version + "-release+simulated"}, {"Uptime-msec", strconv.FormatInt(up.Milliseconds(), 10)},
			{"Session-Count", n}, {"Max-Sessions", "10000"}, {"Session-Per-Sec", "200"}, {"Session-Per-Sec-Last", "0"}, {"Session-Per-Sec-Max", "0"},
			{"Session-Per-Sec-FiveMin", "0"}, {"Session-Since-Startup", strconv.Itoa(s.sessions)}, {"Session-Peak-Max", n},
			{"Session-Peak-FiveMin", n}, {"Idle-CPU", "99.000000"}} {
			e.add(h.name, h.value)
		}
	})
	s.after(s.opt.Heartbeat, s.heartbeat)
}
