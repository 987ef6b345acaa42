package switchsim

import (
	"cmp"
	"encoding/xml"
	"slices"
	"strconv"
	"strings"
	"time"
)

// apiConference is the conference command.
func (s *Switch) apiConference(arg string, done func(string)) {
	argv := fields(arg, 25)
	if len(argv) == 0 {
		done(conferenceHelp)
		return
	}
	r := s.rooms[argv[0]]
	if r == nil {
		switch strings.ToLower(argv[0]) {
		case "list":
			done(s.listRooms())
		case "count":
			done(strconv.Itoa(len(s.rooms)))
		case "json_list":
			done(s.roomsJSON(s.sortedRooms(), len(argv) == 2 && argv[1] == "compact"))
		case "xml_list":
			done(s.roomsXML(s.sortedRooms()))
		case "help", "commands":
			done(conferenceHelp)
		default:
			if len(argv) > 1 && (strings.EqualFold(argv[1], "dial") || strings.EqualFold(argv[1], "bgdial")) {
				s.dialInto(argv[0], argv, done)
				return
			}
			done("-ERR Conference " + argv[0] + " not found\n")
		}
		return
	}
	if len(argv) < 2 {
		done("Conference command, not specified.\nTry 'help'\n")
		return
	}
	verb := strings.ToLower(argv[1])
	if verb == "dial" || verb == "bgdial" {
		s.dialInto(r.name+"@"+r.profile, argv, done)
		return
	}
	if f, known := roomCommands[verb]; known {
		done(f(s, r, argv))
		return
	}
	if f, known := memberCommands[verb]; known {
		done(s.forMembers(r, argv, f))
		return
	}
	done("-ERR Conference command '" + argv[1] + "' not found.\n")
}

const conferenceHelp = "<conf name> list|xml_list|json_list|count|play|stop|relate|lock|unlock|dial|bgdial|transfer|kick|hup|hold|unhold|mute|tmute|unmute|deaf|undeaf|floor|getvar|setvar\n"

// roomCommands act on a room, memberCommands on one or more of its members. The
// arguments are the room, the command and what follows it.
var (
	roomCommands   map[string]func(*Switch, *room, []string) string
	memberCommands map[string]func(*Switch, *member, []string) string
)

func init() {
	roomCommands = map[string]func(*Switch, *room, []string) string{
		"list": func(_ *Switch, r *room, argv []string) string { return r.list(argv) },
		"count": func(_ *Switch, r *room, _ []string) string {
			return strconv.Itoa(r.count)
		},
		"json_list": func(s *Switch, r *room, argv []string) string {
			return s.roomsJSON([]*room{r}, len(argv) == 3 && argv[2] == "compact")
		},
		"xml_list": func(s *Switch, r *room, _ []string) string { return s.roomsXML([]*room{r}) },
		"lock": func(s *Switch, r *room, argv []string) string {
			s.setLock(r, true)
			return "+OK " + argv[0] + " locked\n"
		},
		"unlock": func(s *Switch, r *room, argv []string) string {
			s.setLock(r, false)
			return "+OK " + argv[0] + " unlocked\n"
		},
		"relate":   (*Switch).apiRelate,
		"play":     (*Switch).apiPlay,
		"stop":     (*Switch).apiStop,
		"transfer": (*Switch).apiMemberTransfer,
		"getvar": func(_ *Switch, r *room, argv []string) string {
			if len(argv) > 2 {
				for _, v := range r.vars {
					if v.name == argv[2] {
						return v.value
					}
				}
			}
			return ""
		},
		"setvar": func(_ *Switch, r *room, argv []string) string {
			if len(argv) > 2 && len(r.vars) < maxVariables {
				r.vars = slices.DeleteFunc(r.vars, func(v header) bool { return v.name == argv[2] })
				if len(argv) > 3 {
					r.vars = append(r.vars, header{argv[2], argv[3]})
				}
			}
			return ok
		},
	}
	answer := func(m *member, what string) string { return "+OK " + what + " " + strconv.Itoa(m.id) + "\n" }
	memberCommands = map[string]func(*Switch, *member, []string) string{
		"mute":   func(s *Switch, m *member, _ []string) string { s.setMute(m, true); return answer(m, "mute") },
		"unmute": func(s *Switch, m *member, _ []string) string { s.setMute(m, false); return answer(m, "unmute") },
		"tmute": func(s *Switch, m *member, _ []string) string {
			on := m.canSpeak
			s.setMute(m, on)
			if on {
				return answer(m, "mute")
			}
			return answer(m, "unmute")
		},
		"energy": func(s *Switch, m *member, rest []string) string {
			if len(rest) > 0 {
				m.energy, _ = strconv.Atoi(rest[0])
				s.touchRoom(m.room)
			}
			return "Energy " + strconv.Itoa(m.id) + " = " + strconv.Itoa(m.energy) + "\n"
		},
		"deaf":   func(s *Switch, m *member, _ []string) string { s.setDeaf(m, true); return answer(m, "deaf") },
		"undeaf": func(s *Switch, m *member, _ []string) string { s.setDeaf(m, false); return answer(m, "undeaf") },
		"hold": func(s *Switch, m *member, rest []string) string {
			s.setMemberHold(m, true)
			if len(rest) > 0 {
				s.startSound(m.ch, rest[0], false)
			}
			return answer(m, "hold")
		},
		"unhold": func(s *Switch, m *member, _ []string) string {
			m.ch.endSound()
			s.setMemberHold(m, false)
			return answer(m, "unhold")
		},
		"kick": func(s *Switch, m *member, _ []string) string {
			s.maint(m.room, m, "kick-member", fromConfCommand)
			s.kick(m)
			return answer(m, "kicked")
		},
		"hup": func(s *Switch, m *member, _ []string) string {
			s.maint(m.room, m, "hup-member", fromConfCommand)
			s.kick(m)
			return answer(m, "hup")
		},
		"floor": func(s *Switch, m *member, _ []string) string {
			switch f := m.room.floor; f {
			case m:
				s.setFloor(m.room, nil)
				return "+OK floor none\n"
			case nil:
				s.setFloor(m.room, m)
				return answer(m, "floor")
			default:
				return "-ERR floor is held by " + strconv.Itoa(f.id) + "\n"
			}
		},
		"get-uuid": func(_ *Switch, m *member, _ []string) string { return m.ch.uuid },
		"dtmf": func(s *Switch, m *member, rest []string) string {
			if len(rest) == 0 {
				return "-ERR Invalid input!\n"
			}
			s.sendKeys(m.ch, rest[0])
			return "+OK sent " + rest[0] + " to " + strconv.Itoa(m.id) + "\n"
		},
	}
}

// findMember is a member that commands find: known, and not on his way out.
func (r *room) findMember(id int) *member {
	for _, m := range r.members {
		if m.id == id && m.known && !m.leaving && !m.ch.dead {
			return m
		}
	}
	return nil
}

// leadingInt reads a number as C's atoi does.
func leadingInt(text string) int {
	end := 0
	for end < len(text) && end < 9 && text[end] >= '0' && text[end] <= '9' {
		end++
	}
	n, _ := strconv.Atoi(text[:end])
	return n
}

func (s *Switch) forMembers(r *room, argv []string, f func(*Switch, *member, []string) string) string {
	if len(argv) < 3 {
		return argv[1] + " <[member_id|all]|last|non_moderator>"
	}
	rest := argv[3:]
	var targets []*member
	switch who := strings.ToLower(argv[2]); who {
	case "all", "non_moderator":
		for _, m := range slices.Clone(r.members) {
			if m.known && !m.leaving && !m.ch.dead && (who == "all" || !m.mod) {
				targets = append(targets, m)
			}
		}
	case "last":
		var last *member
		for _, m := range r.members {
			if m.known && !m.leaving && (last == nil || m.id > last.id) {
				last = m
			}
		}
		if last != nil {
			targets = append(targets, last)
		}
	default:
		id := leadingInt(who)
		if id == 0 {
			return argv[1] + " <[member_id|all]|last|non_moderator>"
		}
		m := r.findMember(id)
		if m == nil {
			return "-ERR Non-Existant ID " + strconv.Itoa(id) + "\n"
		}
		targets = append(targets, m)
	}
	out := ""
	for _, m := range targets {
		out += f(s, m, rest)
	}
	return out
}

func (s *Switch) setLock(r *room, on bool) {
	r.locked = on
	action := "unlock"
	if on {
		action = "lock"
	}
	s.maint(r, nil, action, fromConfCommand)
}

func (s *Switch) setMute(m *member, on bool) {
	if on {
		if m.canSpeak {
			m.mutedAt = s.now
			s.after(m.room.tail, func() { s.touchRoom(m.room) })
		}
		m.canSpeak = false
		s.hush(m, false)
		s.maint(m.room, m, "mute-member", fromConfCommand)
		s.talkSoon(m)
	} else {
		m.canSpeak = true
		s.maint(m.room, m, "unmute-member", fromConfCommand)
		s.talkSoon(m)
	}
	s.touchRoom(m.room)
}

func (s *Switch) setDeaf(m *member, on bool) {
	m.canHear = !on
	action := "undeaf-member"
	if on {
		action = "deaf-member"
	}
	s.maint(m.room, m, action, fromConfCommand)
	s.touch(m.ch)
}

func (s *Switch) setMemberHold(m *member, on bool) {
	m.hold = on
	action := "unhold-member"
	if on {
		action = "hold-member"
		s.hush(m, false)
	} else {
		s.talkSoon(m)
	}
	s.maint(m.room, m, action, fromConfCommand)
	if on && m.room.floor == m {
		for _, o := range m.room.members {
			if o != m && o.talking && o.canSpeak && !o.leaving {
				s.setFloor(m.room, o)
				break
			}
		}
	}
	s.touchRoom(m.room)
}

const relateUsage = "relate <member_id>[,<member_id>] <other_member_id>[,<other_member_id>] [nospeak|nohear|clear]"

// apiRelate answers as the switch does: nothing at all where relations exist
// and no member with one was named, +OK to every clear.
func (s *Switch) apiRelate(r *room, argv []string) string {
	if len(argv) <= 3 {
		total := 0
		for _, m := range r.members {
			total += len(m.relations)
		}
		if total == 0 {
			return "+OK No relationships\n"
		}
		out := ""
		if len(argv) == 3 {
			for _, id := range strings.Split(argv[2], ",") {
				out += r.relationsOf(leadingInt(id))
			}
		}
		return out
	}
	if len(argv) == 4 {
		return relateUsage
	}
	action := argv[4]
	isClear := strings.EqualFold(action, "clear")
	nospeak, nohear := strings.Contains(action, "nospeak"), strings.Contains(action, "nohear")
	video := strings.Contains(action, "sendvideo")
	if !isClear && !nospeak && !nohear && !video {
		return relateUsage
	}
	out := ""
	for _, a := range limited(strings.Split(argv[2], ",")) {
		for _, b := range limited(strings.Split(argv[3], ",")) {
			id, oid := leadingInt(a), leadingInt(b)
			pair := strconv.Itoa(id) + "->" + strconv.Itoa(oid)
			m := r.findMember(id)
			switch {
			case m == nil, !isClear && r.findMember(oid) == nil:
				out += "-ERR relationship " + pair + " not found.\n"
			case isClear:
				s.unrelate(m, oid)
				out += "+OK relationship " + pair + " cleared.\n"
			default:
				s.relate(m, oid, !nospeak, !nohear)
				out += "+OK " + pair + " " + action + " set\n"
			}
		}
	}
	return out
}

// limited keeps the first 100 of a list, as the switch does.
func limited(list []string) []string { return list[:min(len(list), 100)] }

func (r *room) relationsOf(id int) string {
	out := ""
	for _, m := range r.members {
		if id > 0 && m.id != id {
			continue
		}
		for _, rel := range m.relations {
			speak, hear := "NOSPEAK ", "NOHEAR "
			if rel.speak {
				speak = "SPEAK "
			}
			if rel.hear {
				hear = "HEAR "
			}
			out += strconv.Itoa(m.id) + " -> " + strconv.Itoa(rel.id) + " " + speak + hear + "NOSENDVIDEO \n"
		}
	}
	return out
}

// apiPlay is 'conference ROOM play FILE [MEMBER]'.
func (s *Switch) apiPlay(r *room, argv []string) string {
	if last := len(argv) - 1; last >= 3 && strings.EqualFold(argv[last], "async") {
		argv = argv[:last]
	}
	if len(argv) < 3 {
		return "play <file_path> [async|<member_id> [nomux]]"
	}
	file := argv[2]
	length, exists := s.soundLength(file)
	if len(argv) == 3 {
		if !exists {
			return "-ERR (play) File: " + file + " not found.\n"
		}
		r.sound = file
		for _, m := range r.members {
			if m.known && m.canHear {
				s.notePlayed(m.ch, file)
			}
		}
		s.after(length, func() {
			if s.rooms[r.name] == r && r.sound == file {
				r.sound = ""
				s.maint(r, nil, "play-file-done", fromConfCommand, header{"File", file}, header{"Async", "false"})
			}
		})
		s.maint(r, nil, "play-file", fromConfCommand, header{"File", file}, header{"Async", "false"})
		return "+OK (play) Playing file " + file + "\n"
	}
	m := r.findMember(leadingInt(argv[3]))
	switch {
	case m == nil:
		return "-ERR Member: " + argv[3] + " not found.\n"
	case !exists:
		return "-ERR (play) File: " + file + " not found.\n"
	}
	nomux := len(argv) > 4 && strings.EqualFold(argv[4], "nomux")
	s.playTo(m, file, length, !nomux)
	s.maint(r, m, "play-file-member", fromConfCommand, header{"File", file})
	return "+OK (play) Playing file " + file + " to member " + strconv.Itoa(m.id) + "\n"
}

// playTo plays a file to a member, after those that play already.
func (s *Switch) playTo(m *member, file string, length time.Duration, mix bool) {
	start := m.fileEnds
	if start.Before(s.now) {
		start = s.now
	}
	m.fileEnds = start.Add(length)
	m.files++
	mine := m.files
	s.after(start.Sub(s.now), func() {
		if m.leaving || m.stopped >= mine {
			return
		}
		s.startSound(m.ch, file, mix)
		s.after(length, func() {
			if m.stopped >= mine || m.leaving {
				return
			}
			m.ch.endSound()
			s.touch(m.ch)
			s.maint(m.room, m, "play-file-member-done", fromConfCommand, header{"File", file})
		})
	})
}

func (s *Switch) apiStop(r *room, argv []string) string {
	if len(argv) == 4 {
		m := r.findMember(leadingInt(argv[3]))
		if m == nil {
			return "-ERR Member: " + argv[3] + " not found.\n"
		}
		n := 0
		if m.fileEnds.After(s.now) {
			n = m.files - m.stopped
		}
		m.stopped, m.fileEnds = m.files, s.now
		m.ch.endSound()
		s.touch(m.ch)
		return "+OK Stopped " + strconv.Itoa(n) + " files.\n"
	}
	n := 0
	if r.sound != "" {
		n, r.sound = 1, ""
	}
	return "+OK Stopped " + strconv.Itoa(n) + " files.\n"
}

func (s *Switch) apiMemberTransfer(r *room, argv []string) string {
	if len(argv) <= 3 {
		return "transfer <conference_name> <member id> [...<member id>]"
	}
	name, profileName, found := strings.Cut(argv[2], "@")
	if !found {
		profileName = "default"
	}
	out := ""
	for _, id := range argv[3:] {
		m := r.findMember(leadingInt(id))
		if m == nil {
			out += "-ERR No Member " + id + " in conference " + r.name + ".\n"
			continue
		}
		s.transfer(m.ch, "conference:"+name+"@"+profileName, "inline", "")
		out += "+OK Member '" + strconv.Itoa(m.id) + "' sent to conference " + argv[2] + ".\n"
	}
	return out
}

// dialInto is dial and bgdial: a call that becomes a member when it is answered.
func (s *Switch) dialInto(room string, argv []string, done func(string)) {
	if len(argv) <= 2 {
		done("-ERR Bad Args\n" + argv[1] + " <endpoint_module_name>/<destination> <callerid number> <callerid name>")
		return
	}
	var vars []header
	if len(argv) > 3 {
		vars = append(vars, header{"origination_caller_id_number", argv[3]})
	}
	if len(argv) > 4 {
		vars = append(vars, header{"origination_caller_id_name", argv[4]})
	}
	background := strings.EqualFold(argv[1], "bgdial")
	s.dial(nil, argv[2], vars, 60*time.Second, func(ch *channel, cause string) {
		if ch != nil {
			ch.plan = []step{{app: "conference", data: room}}
			s.setState(ch, "EXECUTE")
			s.after(0, func() { s.proceed(ch) })
		}
		if !background {
			done("+OK Call Requested: result: [" + cmp.Or(cause, "SUCCESS") + "]\n")
		}
	})
	if background {
		done("+OK Job-UUID: " + newUUID() + "\n")
	}
}

func (s *Switch) sortedRooms() []*room {
	out := make([]*room, 0, len(s.rooms))
	for _, r := range s.rooms {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b *room) int { return strings.Compare(a.name, b.name) })
	return out
}

func (s *Switch) listRooms() string {
	if len(s.rooms) == 0 {
		return "+OK No active conferences.\n"
	}
	out := ""
	for _, r := range s.sortedRooms() {
		plural := "s"
		if r.count == 1 {
			plural = ""
		}
		flags := ""
		if r.locked {
			flags = "locked|"
		}
		out += "+OK Conference " + r.name + " (" + strconv.Itoa(r.count) + " member" + plural + " rate: 8000 flags: " + flags +
			"running|answered|enforce_min|dynamic|exit_sound|enter_sound|json_status)\n" + r.list(nil)
	}
	return out
}

// present are the members that lists show.
func (r *room) present() []*member {
	return slices.DeleteFunc(slices.Clone(r.members), func(m *member) bool { return !m.known })
}

func (r *room) list(argv []string) string {
	delim := ";"
	if len(argv) > 2 {
		switch strings.ToLower(argv[2]) {
		case "count":
			return strconv.Itoa(r.count)
		case "delim":
			if len(argv) > 3 {
				delim = strings.Trim(argv[3], `"`)
			}
		}
	}
	out := ""
	for _, m := range r.present() {
		var flags []string
		flag := func(on bool, name string) {
			if on {
				flags = append(flags, name)
			}
		}
		flag(!m.hold && m.canHear, "hear")
		flag(!m.hold && m.canSpeak, "speak")
		flag(!m.hold && m.talking, "talking")
		flag(m.hold, "hold")
		flag(r.floor == m, "floor")
		flag(m.mod, "moderator")
		flag(m.ghost, "ghost")
		out += strings.Join([]string{strconv.Itoa(m.id), m.ch.name, m.ch.uuid, m.ch.p.cidName, m.ch.p.cidNum, strings.Join(flags, "|"), "0", "0",
			cmp.Or(r.conf["energy-level"], "0")}, delim) + "\n"
	}
	return out
}

// object is a JSON object whose fields keep their order.
type object []field

type field struct {
	name  string
	value any // object, []object, string, int or bool
}

func (s *Switch) roomsJSON(rooms []*room, compact bool) string {
	list := make([]object, 0, len(rooms))
	for _, r := range rooms {
		list = append(list, s.roomObject(r))
	}
	var b strings.Builder
	writeJSON(&b, list, 0, compact)
	return b.String()
}

func (s *Switch) roomObject(r *room) object {
	seconds := func(t time.Time) int {
		if t.IsZero() {
			return 0
		}
		return int(s.now.Unix() - t.Unix())
	}
	vars := object{}
	for _, v := range r.vars {
		vars = append(vars, field{v.name, v.value})
	}
	members := []object{}
	for _, m := range r.present() {
		flags := object{{"can_hear", !m.hold && m.canHear}, {"can_see", !m.hold}, {"can_speak", !m.hold && m.canSpeak}, {"hold", m.hold},
			{"mute_detect", m.detect}, {"talking", m.talking}, {"has_video", false}, {"video_bridge", false}, {"has_floor", r.floor == m},
			{"is_moderator", m.mod}, {"end_conference", m.endconf}, {"mandatory_member_end_conference", false}, {"pass_digits", m.dist}}
		energy, _ := strconv.Atoi(r.conf["energy-level"])
		members = append(members, object{{"type", "caller"}, {"id", m.id}, {"flags", flags}, {"uuid", m.ch.uuid}, {"caller_id_name", m.ch.p.cidName},
			{"caller_id_number", m.ch.p.cidNum}, {"join_time", seconds(m.joined)}, {"last_talking", seconds(m.talked)}, {"energy", energy},
			{"volume_in", 0}, {"volume_out", 0}, {"output-volume", 0}, {"input-volume", 0}})
	}
	out := object{{"conference_name", r.name}, {"member_count", r.count}, {"ghost_count", r.ghosts}, {"rate", 8000}, {"run_time", seconds(r.started)},
		{"conference_uuid", r.uuid}, {"canvas_count", 0}, {"max_bw_in", 0}, {"force_bw_in", 0}, {"video_floor_packets", 0},
		{"locked", r.locked}, {"destruct", r.destruct}, {"wait_mod", false}, {"audio_always", false}, {"running", true}, {"answered", r.answered},
		{"enforce_min", true}, {"bridge_to", false}, {"dynamic", true}, {"exit_sound", true}, {"enter_sound", true}, {"recording", false},
		{"video_bridge", false}, {"video_floor_only", false}, {"video_rfc4579", false}}
	if r.maxMembers > 0 {
		out = append(out, field{"max_members", r.maxMembers})
	}
	return append(out, field{"variables", vars}, field{"members", members})
}

// writeJSON prints as cJSON does, with tabs and line ends where those are.
func writeJSON(b *strings.Builder, v any, depth int, compact bool) {
	indent := func(n int) {
		if !compact {
			b.WriteString("\n" + strings.Repeat("\t", n))
		}
	}
	switch v := v.(type) {
	case object:
		b.WriteByte('{')
		for i, f := range v {
			if i > 0 {
				b.WriteByte(',')
			}
			indent(depth + 1)
			b.WriteString(quote(f.name) + ":")
			if !compact {
				b.WriteByte('\t')
			}
			writeJSON(b, f.value, depth+1, compact)
		}
		indent(depth)
		b.WriteByte('}')
	case []object:
		b.WriteByte('[')
		for i, o := range v {
			if i > 0 {
				b.WriteByte(',')
				if !compact {
					b.WriteByte(' ')
				}
			}
			writeJSON(b, o, depth+1, compact)
		}
		b.WriteByte(']')
	case string:
		b.WriteString(quote(v))
	case int:
		b.WriteString(strconv.Itoa(v))
	case bool:
		b.WriteString(strconv.FormatBool(v))
	}
}

func escapeXML(text string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(text)) // a Builder takes everything
	return b.String()
}

func (s *Switch) roomsXML(rooms []*room) string {
	var b strings.Builder
	b.WriteString("<?xml version=\"1.0\"?>\n")
	if len(rooms) == 0 {
		b.WriteString("<conferences></conferences>\n")
		return b.String()
	}
	yes := strconv.FormatBool
	b.WriteString("<conferences>\n")
	for _, r := range rooms {
		locked := ""
		if r.locked {
			locked = ` locked="true"`
		}
		b.WriteString(`  <conference name="` + escapeXML(r.name) + `" member-count="` + strconv.Itoa(r.count) + `" ghost-count="` + strconv.Itoa(r.ghosts) +
			`" rate="8000" uuid="` + r.uuid + `"` + locked + ` running="true" answered="` + yes(r.answered) +
			`" enforce_min="true" dynamic="true" exit_sound="true" enter_sound="true" run_time="` +
			strconv.FormatInt(s.now.Unix()-r.started.Unix(), 10) + "\">\n    <variables></variables>\n    <members>\n")
		for _, m := range r.present() {
			tag := func(indent, name, value string) {
				b.WriteString(indent + "<" + name + ">" + escapeXML(value) + "</" + name + ">\n")
			}
			b.WriteString("      <member type=\"caller\">\n")
			tag("        ", "id", strconv.Itoa(m.id))
			b.WriteString("        <flags>\n")
			for _, f := range []struct {
				name string
				on   bool
			}{{"can_hear", !m.hold && m.canHear}, {"can_see", !m.hold}, {"can_speak", !m.hold && m.canSpeak}, {"mute_detect", m.detect}, {"talking", m.talking},
				{"hold", m.hold}, {"has_video", false}, {"video_bridge", false}, {"has_floor", r.floor == m}, {"is_moderator", m.mod},
				{"end_conference", m.endconf}, {"mandatory_member_end_conference", false}, {"is_ghost", m.ghost}} {
				tag("          ", f.name, yes(f.on))
			}
			b.WriteString("        </flags>\n")
			talked := "N/A"
			if !m.talked.IsZero() {
				talked = strconv.FormatInt(s.now.Unix()-m.talked.Unix(), 10)
			}
			for _, f := range []header{{"uuid", m.ch.uuid}, {"caller_id_name", m.ch.p.cidName}, {"caller_id_number", m.ch.p.cidNum},
				{"join_time", strconv.FormatInt(s.now.Unix()-m.joined.Unix(), 10)}, {"last_talking", talked},
				{"energy", cmp.Or(r.conf["energy-level"], "0")}, {"volume_in", "0"}, {"volume_out", "0"}, {"output-volume", "0"}} {
				tag("        ", f.name, f.value)
			}
			b.WriteString("      </member>\n")
		}
		b.WriteString("    </members>\n  </conference>\n")
	}
	b.WriteString("</conferences>\n")
	return b.String()
}
