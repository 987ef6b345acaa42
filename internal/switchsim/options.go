package switchsim

import (
	"errors"
	"log/slog"
	"regexp"
	"time"
)

// Options says what the simulated switch is like. The zero value is a switch
// on a free port of the loopback with the stock conference profile, the
// extensions 1000 to 1009 and no agents.
type Options struct {
	Listen   string // address of the event socket; default 127.0.0.1:0
	Password string // of the event socket; default ClueCon
	Hostname string // what events and 'hostname' say; default switchsim
	Domain   string // the directory's one domain; default 127.0.0.1
	// Users are the directory's extensions; default 1000 to 1009. What is not
	// among them is unknown to user/…, and can be called through a gateway only.
	Users []string
	// UserVars are variables that the directory gives its users, by user and name.
	UserVars map[string]map[string]string
	// ConferenceXML is the switch's conference.conf: a <configuration> with
	// caller-controls and profiles. Empty means the stock one, which has a
	// "default" profile and a "default" group only.
	ConferenceXML string
	// DialplanXML is the answer to 'xml_locate dialplan context name …'. It says
	// nothing about what the simulated dialplan does; Dialplan does.
	DialplanXML string
	// Contexts are <context> elements of the XML dialplan, which xml_locate shows and
	// transfers go through. The contexts default and public lead to the simulation's own
	// extensions where their own text says nothing; any other that is not here does not exist.
	Contexts []string
	// ConfDir is the switch's configuration folder, from which its other folders
	// are derived: sounds beside it, and so on. Default /usr/local/freeswitch/conf.
	ConfDir string
	// Files are the files that exist (file_exists, and playing them). Nil means
	// that everything exists below the folder that holds ConfDir.
	Files map[string]bool
	// Modules are the loaded modules; nil means all that the simulation has.
	Modules  []string
	Agents   []CCAgent       // of mod_callcenter
	Dialplan []DialplanEntry // for calls from telephones, the longest prefix first
	Frame    time.Duration   // how often who hears whom is computed; default 20 ms
	// LateEvents delivers events as an idle connection of a real switch does: at
	// the connection's next 20 ms poll, unless a byte from the client wakes it.
	LateEvents bool
	Heartbeat  time.Duration // between HEARTBEAT events; default 20 s
	Lags       Lags          // how long some things take
	// LateRefusals has a tap that cannot be put on answered with +OK, and ended at once,
	// as a real switch does in a third of the cases; in the others it says -ERR.
	LateRefusals bool
	// JitterBuffer is what the SIP profile has for auto-jitterbuffer-msec, such as 60.
	JitterBuffer string
	Logger       *slog.Logger // default: none
}

// CCAgent is an agent of mod_callcenter.
type CCAgent struct {
	Name    string        // as in CC-Agent and cc_agent
	Contact string        // a dial string, such as user/1001@127.0.0.1
	Type    string        // callback (default), or uuid-standby: his leg waits for calls, see Standby
	Status  string        // Available (default), On Break, Logged Out
	Queues  []string      // the queues that he has a tier in; default support@default
	WrapUp  time.Duration // his wrap_up_time, whole seconds
}

// DialplanEntry sends calls to extensions with a prefix to an outbound event
// socket, as 'socket ADDR async' does.
type DialplanEntry struct {
	Prefix   string
	Outbound string // host:port
	Full     bool   // as 'socket ADDR async full' does
}

// Behaviour is what a telephone does when it is called. The zero value answers at once.
type Behaviour struct {
	AnswerAfter time.Duration // how long it rings first
	Reject      string        // refuse with this cause instead, such as USER_BUSY or CALL_REJECTED
	NoAnswer    bool          // ring until the caller gives up
	Keys        Keys          // how it sends keys, whoever called; default RFC 2833
	PacketTime  time.Duration // of its audio, whoever called; default 20 ms
}

// Call is a call between two parties.
type Call struct {
	A string // the caller's channel, inbound to the switch
	B string // the called party's channel, outbound from the switch
}

// ChannelInfo describes a live channel.
type ChannelInfo struct {
	UUID      string
	Name      string // as in Channel-Name
	Number    string // whose telephone it is
	Direction string // inbound or outbound, as the switch sees it
	State     string // as in Channel-State
	CallState string // as in Channel-Call-State
	Answered  bool
	Held      bool   // its telephone has put the call on hold
	Partner   string // the channel that it is bridged with
	Room      string // the conference that it is in
	Member    int    // its member id there
	App       string // the application that it executes
	Received  string // keys that its telephone was sent by the switch
}

// Pair is one ordered pair of channels: Listener hears Speaker.
type Pair struct{ Listener, Speaker string }

// Span is a time during which Listener heard Speaker, without a gap of a frame. Its
// times are those of the switch's clock.
type Span struct {
	Listener, Speaker string // channels
	From, To          time.Time
	Frames            int
}

// Fault is something that goes wrong with commands. All that is set applies,
// in the order of the fields.
type Fault struct {
	// Match selects commands: it is matched against the whole command as it was
	// received, such as "api uuid_kill …", "bgapi originate …", or a sendmsg with
	// its header lines. Nil matches every command after auth.
	Match  *regexp.Regexp
	Times  int    // how many commands it applies to; 0 means all
	Before func() // called before the command is done, with no lock held
	Delay  time.Duration
	// Reply is answered instead of doing the command. As the answer to an api
	// command it is the body; else it is the Reply-Text.
	Reply string
	// Drop cuts the connection before the command is done or, with AfterDoing, after it.
	Drop       bool
	AfterDoing bool
	// ExecuteButReply is answered although the command is done.
	ExecuteButReply string
	Swallow         bool // the command is not done and never answered; with AfterDoing it is done
	// LoseLeg hangs up a channel (or a telephone's newest) 10 ms after the
	// command was accepted: in the middle of a move.
	LoseLeg string
	After   func() // called once the command has been done, with no lock held
}

// Errors of the functions that act for a telephone.
var (
	ErrClosed    = errors.New("switchsim: the switch is closed")
	ErrNoChannel = errors.New("switchsim: no such channel")
	ErrForbidden = errors.New("switchsim: 403 Forbidden") // a REFER without a partner
	ErrFailed    = errors.New("switchsim: the call failed")
)
