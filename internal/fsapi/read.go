package fsapi

// Version asks for the switch's version.
func Version() Line { return words("version") }

// Status asks for a summary of the switch's state.
func Status() Line { return words("status") }

// Uptime asks how long the switch has been up: a sign of life.
func Uptime() Line { return words("uptime") }

// Channels asks for all channels, as JSON.
func Channels() Line { return words("show", "channels", "as", "json") }

// Calls asks for all bridges, as JSON.
func Calls() Line { return words("show", "calls", "as", "json") }

// Registrations asks for all registrations, as JSON.
func Registrations() Line { return words("show", "registrations", "as", "json") }

// Applications asks for the names of all dialplan applications, as JSON.
func Applications() Line { return words("show", "application", "as", "json") }

// Users asks for the directory's users.
func Users() Line { return words("list_users") }

// Rooms asks for all conferences and their members, as JSON. Where a conference
// is called json_list the answer says nothing: see RoomMembers.
func Rooms() Line { return words("conference", "json_list") }

// RoomList asks for all conferences, as text.
func RoomList() Line { return words("conference", "list") }

// RoomMembers asks for one conference and its members, as JSON.
func RoomMembers(r Room) Line { return words("conference", r.s, "json_list") }

// Relations asks for the relations of members of a room. Without members it is
// the zero Line: mod_conference answers "-ERR no reply" to that.
func Relations(r Room, ids []int) Line { return words("conference", r.s, "relate", members(ids)) }

// QueueAgents asks for mod_callcenter's agents.
func QueueAgents() Line { return words("callcenter_config", "agent", "list") }

// QueueAgentStatus asks for the status of one of mod_callcenter's agents.
func QueueAgentStatus(a Agent) Line {
	return words("callcenter_config", "agent", "get", "status", quoted(a.s))
}

// Global asks for a global variable.
func Global(v Var) Line { return words("global_getvar", v.s) }

// Get asks for a channel's variable.
func Get(c Channel, v Var) Line { return words("uuid_getvar", c.s, v.s) }

// Dump asks for everything that the switch says of a channel, as text.
func Dump(c Channel) Line { return words("uuid_dump", c.s) }

// DumpJSON is Dump as JSON.
func DumpJSON(c Channel) Line { return words("uuid_dump", c.s, "json") }

// Exists asks whether there is a channel.
func Exists(c Channel) Line { return words("uuid_exists", c.s) }

// UserExists asks whether the directory has a user.
func UserExists(u User) Line { return words("user_exists", "id", u.id, u.domain) }

// UserVar asks for a variable that the directory gives a user.
func UserVar(u User, v Var) Line {
	if u.id == "" {
		return Line{}
	}
	return words("user_data", u.String(), "var", v.s)
}

// VertoContact asks for the connections of a user's Verto clients.
func VertoContact(u User) Line {
	if u.id == "" {
		return Line{}
	}
	return words("verto_contact", u.String())
}

// VertoClients asks for all Verto clients, as JSON.
func VertoClients() Line { return words("verto", "jsonstatus") }

// ModuleExists asks whether a module is loaded.
func ModuleExists(v Var) Line { return words("module_exists", v.s) }

// ConferenceConf asks for mod_conference's configuration as the switch would use it.
func ConferenceConf() Line {
	return words("xml_locate", "configuration", "configuration", "name", "conference.conf")
}

// DialplanContext asks for a context of the dialplan.
func DialplanContext(name Value) Line {
	return words("xml_locate", "dialplan", "context", "name", name.s)
}

// FileExists asks whether a file is on the switch's machine.
func FileExists(p Path) Line { return words("file_exists", p.s) }

// Bare asks for a command's usage: a command that is not allowed answers so.
func Bare(command Var) Line { return words(command.s) }

// ChannelsLike asks for the channels whose row holds a channel's id.
func ChannelsLike(c Channel) Line { return words("show", "channels", "like", c.s) }
