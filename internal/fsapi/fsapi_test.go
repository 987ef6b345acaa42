package fsapi

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sample holds a value of each type.
type sample struct {
	a, b   Channel
	room   Room
	v, w   Var
	value  Value
	sound  Sound
	path   Path
	user   User
	agent  Agent
	dial   Dial
	to     Extension
	app    App
	id     int
	others []int
	secs   int64
}

// sent is a line and what the switch has to find in it.
type sent struct {
	line Line
	want parsed
}

func does(line Line, command string, args ...string) sent {
	return sent{line, parsed{command: command, args: args}}
}

func (s sent) vars(vars ...string) sent {
	for i := 0; i < len(vars); i += 2 {
		s.want.vars = append(s.want.vars, [2]string{vars[i], vars[i+1]})
	}
	return s
}

func (s sent) apps(apps ...string) sent {
	for i := 0; i < len(apps); i += 2 {
		s.want.apps = append(s.want.apps, [2]string{apps[i], apps[i+1]})
	}
	return s
}

// transfers is a transfer to the inline dialplan, with what it is to execute.
func transfers(args []string, apps []App) sent {
	s := does(Transfer(Channel{args[0]}, apps...), "uuid_transfer", args...)
	if len(args) > 1 {
		s.line = TransferBoth(Channel{args[0]}, apps...)
	}
	for _, a := range apps {
		s.want.apps = append(s.want.apps, [2]string{a.name, a.arg})
	}
	return s
}

func ints(ids []int) string {
	var s []string
	for _, n := range ids {
		s = append(s, strconv.Itoa(n))
	}
	return strings.Join(s, ",")
}

// anyArg stands for an argument that is judged by what is in it: the inline dialplan.
const anyArg = "\x00"

// builders makes a line with every builder there is. Those of applications are
// sent to a channel.
var builders = map[string]func(x sample) []sent{
	"Version":       func(sample) []sent { return []sent{does(Version(), "version")} },
	"Status":        func(sample) []sent { return []sent{does(Status(), "status")} },
	"Uptime":        func(sample) []sent { return []sent{does(Uptime(), "uptime")} },
	"Channels":      func(sample) []sent { return []sent{does(Channels(), "show", "channels", "as", "json")} },
	"Calls":         func(sample) []sent { return []sent{does(Calls(), "show", "calls", "as", "json")} },
	"Registrations": func(sample) []sent { return []sent{does(Registrations(), "show", "registrations", "as", "json")} },
	"Applications":  func(sample) []sent { return []sent{does(Applications(), "show", "application", "as", "json")} },
	"Users":         func(sample) []sent { return []sent{does(Users(), "list_users")} },
	"Rooms":         func(sample) []sent { return []sent{does(Rooms(), "conference", "json_list")} },
	"RoomList":      func(sample) []sent { return []sent{does(RoomList(), "conference", "list")} },
	"RoomMembers": func(x sample) []sent {
		return []sent{does(RoomMembers(x.room), "conference", x.room.s, "json_list")}
	},
	"Relations": func(x sample) []sent {
		return []sent{does(Relations(x.room, x.others), "conference", x.room.s, "relate", ints(x.others))}
	},
	"QueueAgents": func(sample) []sent { return []sent{does(QueueAgents(), "callcenter_config", "agent", "list")} },
	"QueueAgentStatus": func(x sample) []sent {
		return []sent{does(QueueAgentStatus(x.agent), "callcenter_config", "agent", "get", "status", x.agent.s)}
	},
	"Global":   func(x sample) []sent { return []sent{does(Global(x.v), "global_getvar", x.v.s)} },
	"Get":      func(x sample) []sent { return []sent{does(Get(x.a, x.v), "uuid_getvar", x.a.s, x.v.s)} },
	"Dump":     func(x sample) []sent { return []sent{does(Dump(x.a), "uuid_dump", x.a.s)} },
	"DumpJSON": func(x sample) []sent { return []sent{does(DumpJSON(x.a), "uuid_dump", x.a.s, "json")} },
	"Exists":   func(x sample) []sent { return []sent{does(Exists(x.a), "uuid_exists", x.a.s)} },
	"UserExists": func(x sample) []sent {
		return []sent{does(UserExists(x.user), "user_exists", "id", x.user.id, x.user.domain)}
	},
	"UserVar": func(x sample) []sent {
		return []sent{does(UserVar(x.user, x.v), "user_data", x.user.id+"@"+x.user.domain, "var", x.v.s)}
	},
	"VertoClients": func(sample) []sent { return []sent{does(VertoClients(), "verto", "jsonstatus")} },
	"VertoContact": func(x sample) []sent {
		return []sent{does(VertoContact(x.user), "verto_contact", x.user.id+"@"+x.user.domain)}
	},
	"ModuleExists": func(x sample) []sent { return []sent{does(ModuleExists(x.v), "module_exists", x.v.s)} },
	"ConferenceConf": func(sample) []sent {
		return []sent{does(ConferenceConf(), "xml_locate", "configuration", "configuration", "name", "conference.conf")}
	},
	"DialplanContext": func(x sample) []sent {
		return []sent{does(DialplanContext(x.value), "xml_locate", "dialplan", "context", "name", x.value.s)}
	},
	"FileExists": func(x sample) []sent { return []sent{does(FileExists(x.path), "file_exists", x.path.s)} },
	"Bare":       func(x sample) []sent { return []sent{does(Bare(x.v), x.v.s)} },
	"ChannelsLike": func(x sample) []sent {
		return []sent{does(ChannelsLike(x.a), "show", "channels", "like", x.a.s)}
	},
	"Kill": func(x sample) []sent { return []sent{does(Kill(x.a), "uuid_kill", x.a.s, "NORMAL_CLEARING")} },
	"KillMarked": func(x sample) []sent {
		return []sent{does(KillMarked(x.v, x.value), "hupall", "NORMAL_CLEARING", x.v.s, x.value.s)}
	},
	"ParkChannel":   func(x sample) []sent { return []sent{does(ParkChannel(x.a), "uuid_park", x.a.s)} },
	"AnswerChannel": func(x sample) []sent { return []sent{does(AnswerChannel(x.a), "uuid_answer", x.a.s)} },
	"Bridge":        func(x sample) []sent { return []sent{does(Bridge(x.a, x.b), "uuid_bridge", x.a.s, x.b.s)} },
	"Media":         func(x sample) []sent { return []sent{does(Media(x.a), "uuid_media", x.a.s)} },
	"SetVar": func(x sample) []sent {
		return []sent{does(SetVar(x.a, x.v, x.value), "uuid_setvar", x.a.s, x.v.s, x.value.s)}
	},
	"Unset": func(x sample) []sent { return []sent{does(Unset(x.a, x.v), "uuid_setvar", x.a.s, x.v.s)} },
	"SetVars": func(x sample) []sent {
		return []sent{does(SetVars(x.a, Set{x.v, x.value}, Set{x.w, Int(x.id)}), "uuid_setvar_multi", x.a.s).
			vars(x.v.s, x.value.s, x.w.s, strconv.Itoa(x.id))}
	},
	"ClearVars": func(x sample) []sent {
		return []sent{does(ClearVars(x.a, x.v, x.w), "uuid_setvar_multi", x.a.s).vars(x.v.s, "", x.w.s, "")}
	},
	"PressKey": func(x sample) []sent {
		return []sent{does(PressKey(x.a, '#'), "uuid_recv_dtmf", x.a.s, "#"), does(PressKey(x.a, '2'), "uuid_recv_dtmf", x.a.s, "2")}
	},
	"Broadcast": func(x sample) []sent {
		return []sent{does(Broadcast(x.a, x.sound), "uuid_broadcast", x.a.s, x.sound.s, "aleg")}
	},
	"DetectTone": func(x sample) []sent {
		return []sent{does(DetectTone(x.a, x.value, x.id), "tone_detect", x.a.s, x.value.s, strconv.Itoa(x.id), "w")}
	},
	"Transfer":     func(x sample) []sent { return []sent{transfers([]string{x.a.s}, []App{x.app, Park()})} },
	"TransferBoth": func(x sample) []sent { return []sent{transfers([]string{x.a.s, "-both"}, []App{x.app, Hangup()})} },
	"TransferTo": func(x sample) []sent {
		args := []string{x.a.s, x.to.number}
		for _, w := range []string{x.to.dialplan, x.to.context} {
			if w != "" {
				args = append(args, w)
			}
		}
		return []sent{does(TransferTo(x.a, x.to), "uuid_transfer", args...)}
	},
	"Originate": func(x sample) []sent {
		return []sent{does(Originate(x.dial, Set{x.v, x.value}, Set{x.w, Bool(true)}), "originate", x.dial.s, "&park()").
			vars(x.v.s, x.value.s, x.w.s, "true").apps("park", "")}
	},
	"Loopback": func(x sample) []sent {
		return []sent{does(Loopback(Set{x.v, x.value}), "originate", "loopback", "&park()").vars(x.v.s, x.value.s).apps("park", "", "park", "")}
	},
	"OriginateInto": func(x sample) []sent {
		line := OriginateInto(Eavesdrop(x.a), []App{Unassign(x.v), Assign(Set{x.w, x.value}), Eavesdrop(x.b)}, Set{x.v, x.value})
		return []sent{does(line, "originate", "loopback", anyArg, "inline").vars(x.v.s, x.value.s).
			apps("unset", x.v.s, "set", x.w.s+"="+x.value.s, "eavesdrop", x.b.s, "eavesdrop", x.a.s)}
	},
	"NotReady": func(x sample) []sent {
		return []sent{does(NotReady(x.agent, time.Unix(x.secs, 0)), "callcenter_config", "agent", "set", "ready_time", x.agent.s, fmt.Sprint(x.secs))}
	},
	"SetAgentState": func(x sample) (out []sent) {
		for _, s := range []AgentState{AgentWaiting, AgentIdle, AgentInCall} {
			out = append(out, does(SetAgentState(x.agent, s), "callcenter_config", "agent", "set", "state", x.agent.s, string(s)))
		}
		return out
	},
	"Lock":   func(x sample) []sent { return []sent{does(Lock(x.room), "conference", x.room.s, "lock")} },
	"Mute":   func(x sample) []sent { return []sent{member1(x, Mute(x.room, x.id), "mute", "quiet")} },
	"Unmute": func(x sample) []sent { return []sent{member1(x, Unmute(x.room, x.id), "unmute", "quiet")} },
	"Deaf":   func(x sample) []sent { return []sent{member1(x, Deaf(x.room, x.id), "deaf", "quiet")} },
	"Undeaf": func(x sample) []sent { return []sent{member1(x, Undeaf(x.room, x.id), "undeaf", "quiet")} },
	"Kick":   func(x sample) []sent { return []sent{member1(x, Kick(x.room, x.id), "kick")} },
	"Relate": func(x sample) (out []sent) {
		for _, how := range []Relation{NoSpeak, NoHear, NoSpeakNoHear, Unrelated} {
			out = append(out, member1(x, Relate(x.room, x.id, x.others, how), "relate", ints(x.others), string(how)))
		}
		return out
	},
	"Play": func(x sample) []sent {
		return []sent{does(Play(x.room, x.sound, x.id), "conference", x.room.s, "play", x.sound.s, strconv.Itoa(x.id))}
	},

	"Answer":    func(x sample) []sent { return executes(x, Answer(), "answer", "") },
	"Park":      func(x sample) []sent { return executes(x, Park(), "park", "") },
	"Hangup":    func(x sample) []sent { return executes(x, Hangup(), "hangup", "") },
	"StartDTMF": func(x sample) []sent { return executes(x, StartDTMF(), "start_dtmf", "") },
	"FlushDTMF": func(x sample) []sent { return executes(x, FlushDTMF(), "flush_dtmf", "") },
	"Playback":  func(x sample) []sent { return executes(x, Playback(x.sound), "playback", x.sound.s) },
	"Eavesdrop": func(x sample) []sent { return executes(x, Eavesdrop(x.a), "eavesdrop", x.a.s) },
	"Assign":    func(x sample) []sent { return executes(x, Assign(Set{x.v, x.value}), "set", x.v.s+"="+x.value.s) },
	"Unassign":  func(x sample) []sent { return executes(x, Unassign(x.v), "unset", x.v.s) },
	"ParseApp":  func(x sample) []sent { return executes(x, x.app, x.app.name, x.app.arg) },
	"Join": func(x sample) []sent {
		if room, profile, flags := conferenceArg(Join(x.room, x.v, FlagMute, FlagDeaf).arg); room != x.room.s || profile != x.v.s || !slices.Equal(flags, []string{"mute", "deaf"}) {
			return []sent{does(Line{}, fmt.Sprintf("conference %q %q %q", room, profile, flags))}
		}
		return append(executes(x, Join(x.room, x.v), "conference", x.room.s+"@"+x.v.s),
			executes(x, Join(x.room, x.v, FlagMute, FlagDeaf, FlagDTMF, FlagSkipDTMF), "conference", x.room.s+"@"+x.v.s+"+flags{mute|deaf|dist-dtmf|skip-dtmf}")...)
	},
	"GetDigits": func(x sample) []sent {
		app := GetDigits(Digits{Sound: x.sound, Most: x.id, Timeout: time.Second, Terminator: '#', Keys: "0123456789*", Silence: x.sound, Result: x.v})
		// mod_dptools takes the argument apart at blanks.
		if got, want := separate(app.arg, ' ', 11), []string{"1", strconv.Itoa(x.id), "1", "1000", "#", x.sound.s, x.sound.s, x.v.s, "^[0123456789*]+$"}; !slices.Equal(got, want) {
			return []sent{does(Line{}, fmt.Sprintf("play_and_get_digits %q", got))}
		}
		return nil // it is executed over a connection of the call's own, and holds a ^
	},
}

func member1(x sample, line Line, verb string, rest ...string) sent {
	return does(line, "conference", append([]string{x.room.s, verb, strconv.Itoa(x.id)}, rest...)...)
}

// executes sends a channel to an application, alone and between others.
func executes(x sample, app App, name, arg string) []sent {
	return []sent{
		does(Transfer(x.a, app), "uuid_transfer", x.a.s, anyArg, "inline").apps(name, arg),
		does(Transfer(x.a, Answer(), app, Hangup()), "uuid_transfer", x.a.s, anyArg, "inline").apps("answer", "", name, arg, "hangup", ""),
	}
}

// wrong says where the switch finds something else than was meant, or "".
func wrong(s sent) string {
	if strings.ContainsAny(s.line.s, "\r\n\x00") {
		return fmt.Sprintf("%q is more than one command", s.line.s)
	}
	got := parse(s.line.s)
	want := s.want
	if want.command == "uuid_transfer" && len(want.apps) > 0 && want.args[len(want.args)-1] != "inline" {
		want.args = append(slices.Clone(want.args), anyArg, "inline")
	}
	for i, a := range want.args {
		if a == anyArg && i < len(got.args) {
			got.args[i] = anyArg
		}
	}
	if len(got.args) == 0 {
		got.args = nil
	}
	if !reflect.DeepEqual(got, want) {
		return fmt.Sprintf("%q\n is %q\nnot %q", s.line.s, got, want)
	}
	return ""
}

func plain() sample {
	return sample{a: Channel{"1c0a2b9e-0d3c-4c39-b8ac-1a1c1a2e7a11"}, b: Channel{"call-7@10.0.0.1"}, room: Room{"3000@example.com"},
		v: Name("livemon_mark"), w: Name("park_timeout"), value: Const("a:b/c.d@e"), sound: Stream("tone_stream://v=-13;%(400,0,1400)"), path: Path{"/etc/freeswitch/x.wav"},
		user: User{"1001", "example.com"}, agent: Agent{"Anna Smith (2)"}, dial: Dial{"{a=${b},c=$${domain}}sofia/gateway/gw/49"},
		to: Extension{"9 99,1", "XML", "default"}, app: App{"playback", "file_string:///a.wav!/b.wav"}, id: 7, others: []int{1, 22}, secs: 1_790_000_000}
}

func TestBuilders(t *testing.T) {
	x := plain()
	x.dial = Dial{"user/1002"}
	for name, build := range builders {
		for _, s := range build(x) {
			if w := wrong(s); w != "" {
				t.Errorf("%s: %s", name, w)
			}
		}
	}
}

// Every builder is in the table, so that none escapes the fuzz target.
func TestEveryBuilder(t *testing.T) {
	var exported []string
	set := token.NewFileSet()
	for _, file := range []string{"line.go", "read.go", "act.go", "conference.go", "app.go"} {
		f, err := parser.ParseFile(set, file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Recv != nil || !fn.Name.IsExported() || fn.Type.Results == nil || strings.HasPrefix(fn.Name.Name, "Unchecked") {
				continue
			}
			if r, ok := fn.Type.Results.List[0].Type.(*ast.Ident); ok && (r.Name == "Line" || r.Name == "App") {
				exported = append(exported, fn.Name.Name)
			}
		}
	}
	slices.Sort(exported)
	if have := slices.Sorted(maps.Keys(builders)); !slices.Equal(exported, have) {
		t.Errorf("the builders are\n%v\nand those in the table\n%v", exported, have)
	}
}

// A value that nobody has checked makes nothing that could be sent.
func TestZeroValuesMakeNothing(t *testing.T) {
	fixed := []string{"Version", "Status", "Uptime", "Channels", "Calls", "Registrations", "Applications", "Users", "Rooms", "RoomList", "QueueAgents", "VertoClients", "ConferenceConf"}
	for name, build := range builders {
		if slices.Contains(fixed, name) || name == "GetDigits" || name == "Join" {
			continue
		}
		for _, s := range build(sample{}) {
			if !s.line.IsZero() {
				t.Errorf("%s: %q", name, s.line.s)
			}
		}
	}
	for _, a := range []App{GetDigits(Digits{}), Join(Room{}, Var{}), Join(Room{"x"}, Var{}), Join(Room{"x"}, Name("y"), "moderator")} {
		if a != (App{}) {
			t.Errorf("%q", a)
		}
	}
}

// hostile values, some of which were shown to reach a switch.
var hostile = []string{
	"a1,loopback/app=system:touch+x", "a1}x y", "1 kick all", "victim kick all", "elsewhere,x", "x|y", "x;y=z", "x'y", "x\\", "x\ny", "x y", "all", "ALL", "off", "On",
	"last", "toggle", "-both", "-bleg", "^^:a:b", "m:^:x", "${x}", "$${x}", "x,y", "x{y", "x}y", "x[y", "x<y", "x+y", "x+flags{moderator}", "list", "json_list", "Count",
	"help", "x:y", "x=y", "x/y", "x\x00y", "x\"y", "x`y`", "é", "\ufffd", "", " ", strings.Repeat("x", 5000),
}

func TestHostileIDsAndRooms(t *testing.T) {
	for _, s := range hostile {
		if c, err := ParseChannel(s); err == nil && !slices.Contains([]string{"list", "json_list", "Count", "help"}, s) {
			t.Errorf("channel %q", c)
		}
		if r, err := ParseRoom(s); err == nil && !slices.Contains([]string{"all", "ALL", "off", "On", "last", "toggle"}, s) {
			t.Errorf("room %q", r)
		}
	}
	for _, s := range []string{"3f1f0b1e-9a52-4a0a-9a52-4a0a9a524a0a", "abc123@10.0.0.1", "Zx_9.k-2@host.example", "1"} {
		if c, err := ParseChannel(s); err != nil || c.String() != s {
			t.Errorf("%q: %q, %v", s, c, err)
		}
	}
}

// The parser finds what a builder of unchecked values would do: the fuzz target
// can fail.
func TestPlantedFaultsAreFound(t *testing.T) {
	for name, plant := range map[string]func(*sample){
		"a comma in a channel":           func(x *sample) { x.a.s = "a1,loopback/app=system:id" },
		"a bar in a channel":             func(x *sample) { x.a.s = "a1|loopback/app=system:id" },
		"a blank in a channel":           func(x *sample) { x.a.s = "a1 b" },
		"a brace in a value":             func(x *sample) { x.value.s = "a}sofia/gateway/gw/900," },
		"a comma in a value":             func(x *sample) { x.value.s = "a,origination_uuid=b" },
		"a semicolon in a value":         func(x *sample) { x.value.s = "a;livemon_mark=b" },
		"a blank in a room":              func(x *sample) { x.room.s = "victim kick all" },
		"a plus in a room":               func(x *sample) { x.room.s = "elsewhere+1" },
		"a quote in an agent's name":     func(x *sample) { x.agent.s = "a' set status 'x" },
		"a backslash in a name":          func(x *sample) { x.agent.s = "a\\" },
		"a blank in a sound":             func(x *sample) { x.sound.s = "a.wav b" },
		"a quote in a sound":             func(x *sample) { x.sound.s = "a.wav'b" },
		"a ^ among commas":               func(x *sample) { x.app.arg = "a,b^hangup" },
		"a quote in an argument":         func(x *sample) { x.app.arg = "a'b" },
		"a blank in a user":              func(x *sample) { x.user.id = "1 2" },
		"a blank in a dial string":       func(x *sample) { x.dial.s = "user/1 &system(id)" },
		"a blank in an extension":        func(x *sample) { x.to.context = "a b" },
		"a line break":                   func(x *sample) { x.a.s = "a\nb" },
		"a number that is none":          func(x *sample) { x.v.s = "a b" },
		"a path with a blank":            func(x *sample) { x.path.s = "/a b" },
		"an equals sign in a name":       func(x *sample) { x.v.s = "a=b" },
		"a semicolon in a name":          func(x *sample) { x.w.s = "a;b" },
		"an extension that is an option": func(x *sample) { x.to.number = "a' 'b" },
	} {
		x := plain()
		x.dial = Dial{"user/1002"}
		plant(&x)
		found := false
		for _, build := range builders {
			for _, s := range build(x) {
				found = found || wrong(s) != ""
			}
		}
		if !found {
			t.Errorf("%s is not found", name)
		}
	}
}

// FuzzLines makes every line out of anything that the checks let through, and
// takes it apart as the switch does.
func FuzzLines(f *testing.F) {
	for _, s := range hostile {
		f.Add(s, s, s, 1, int64(1))
		f.Add("a", s, s, 2, int64(2))
	}
	f.Add("3000@example.com", "user/1002", "1001@example.com", 3, int64(3))
	f.Add("/a/b.wav", "set:a=b", "a,b c", 4, int64(4))
	f.Fuzz(func(t *testing.T, s1, s2, s3 string, id int, secs int64) {
		x := plain()
		x.dial = Dial{"user/1002"}
		take(ParseChannel, s1, &x.a)
		take(ParseChannel, s2, &x.b)
		take(ParseRoom, s1, &x.room)
		take(ParseVar, s1, &x.v)
		take(ParseVar, s2, &x.w)
		take(ParseValue, s3, &x.value)
		take(ParseSound, s2, &x.sound)
		take(ParsePath, s1, &x.path)
		take(ParseUser, s3, &x.user)
		take(ParseAgent, s3, &x.agent)
		if d, err := ParseDial(s2); err == nil && !strings.ContainsAny(s2, "{}") { // the operator's own braces are his
			x.dial = d
		}
		if e, err := ParseExtension(s3, s1, s2); err == nil && e.dialplan != "inline" {
			x.to = e
		}
		if a, err := ParseApp(s1, s3); err == nil {
			x.app = a
		}
		if id > 0 {
			x.id, x.others = id, []int{id, 1}
		}
		x.secs = secs
		for name, build := range builders {
			for _, s := range build(x) {
				if w := wrong(s); w != "" {
					t.Fatalf("%s: %s", name, w)
				}
			}
		}
	})
}

// take sets v if the check lets s through.
func take[T any](check func(string) (T, error), s string, v *T) {
	if x, err := check(s); err == nil {
		*v = x
	}
}
