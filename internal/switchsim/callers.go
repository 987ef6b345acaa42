package switchsim

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
)

// Variable is a channel variable.
type Variable struct{ Name, Value string }

// Telephone is who calls, as the switch gets to see it. A field's zero value is
// what an honest SIP telephone does: one of the directory's authenticates itself,
// and any other is a line from outside.
type Telephone struct {
	Number  string     // what it calls itself
	Login   string     // the directory's user that it authenticates itself as; default Number
	Guest   bool       // it authenticates itself as nobody: the profile lets it call all the same
	ACL     bool       // an access list lets it in, as Login
	From    string     // user@host of its From header; default Number and the switch's domain
	Address string     // default 127.0.0.1
	Channel string     // the id of its channel, which a client of mod_verto chooses; default a new one
	Verto   bool       // it is a client of mod_verto that has logged in as Login
	Vars    []Variable // what a client of mod_verto has called userVariables at its login: raw
}

// Client is a directory user's client of mod_verto.
type Client struct {
	Session string     // the id of its login, which it chooses
	Vars    []Variable // its userVariables
}

// SetVerto makes a client of mod_verto the telephone of a directory's user: it is
// what user/NUMBER rings from now on.
func (s *Switch) SetVerto(number string, c Client) {
	s.lock()
	defer s.unlock()
	if len(s.verto) >= maxNumbers {
		clear(s.verto)
	}
	s.verto[number] = c
}

// DialFrom is Dial for a telephone of any kind.
func (s *Switch) DialFrom(_ context.Context, t Telephone, ext string) (string, error) {
	s.lock()
	defer s.unlock()
	if s.ctx.Err() != nil {
		return "", ErrClosed
	}
	if s.channels[t.Channel] != nil {
		return "", fmt.Errorf("%w: there is a channel %s", ErrFailed, t.Channel)
	}
	ch := s.arrive(t, ext)
	if ch.plan = s.extension(ext); len(ch.plan) == 0 {
		s.hangup(ch, "NO_ROUTE_DESTINATION")
		return ch.uuid, fmt.Errorf("%w: %s is no extension", ErrFailed, ext)
	}
	s.proceed(ch)
	return ch.uuid, nil
}

// inbound is a call from a telephone: the channel, about to execute a plan.
func (s *Switch) inbound(from, ext string) *channel { return s.arrive(Telephone{Number: from}, ext) }

func (s *Switch) arrive(t Telephone, ext string) *channel {
	login := cmp.Or(t.Login, t.Number)
	from := cmp.Or(t.From, t.Number+"@"+s.opt.Domain)
	known := s.inDirectory(login) && !t.Guest
	name := "sofia/external/" + from
	switch {
	case t.Verto:
		name = "verto.rtc/" + ext
	case known || t.Guest:
		name = "sofia/internal/" + from
	}
	ch := s.newChannel(t.Channel, name, t.Number, "inbound")
	ch.dialplan = true
	ch.p.ani, ch.p.dest = t.Number, ext
	ch.p.cidName, ch.p.cidNum, ch.p.origName, ch.p.origNum = t.Number, t.Number, t.Number, t.Number
	ch.p.address = cmp.Or(t.Address, "127.0.0.1")
	if t.Verto {
		s.vertoVars(ch, login, t.Vars)
	} else {
		s.sipVars(ch, t, login, from, ext, known)
	}
	s.setState(ch, "NEW")
	s.setState(ch, "INIT")
	ch.stateNum = channelStates["ROUTING"]
	s.tell(ch, "CHANNEL_CREATE", fromCreate)
	ch.state = "ROUTING"
	s.setCallState(ch, "RINGING")
	s.setState(ch, "ROUTING")
	s.setState(ch, "EXECUTE")
	return ch
}

// vertoVars is what mod_verto sets on the leg of a client that calls: last of all
// what the client has chosen.
func (s *Switch) vertoVars(ch *channel, login string, chosen []Variable) {
	uid := login + "@" + s.opt.Domain
	ch.p.source, ch.p.username = "mod_verto", uid
	for _, v := range []header{{"verto_user", uid}, {"presence_id", uid}, {"verto_host", s.opt.Domain}, {"chat_proto", "verto"},
		{"user_name", login}, {"domain_name", s.opt.Domain}} {
		ch.set(v.name, v.value)
	}
	for _, v := range chosen {
		ch.set(v.Name, v.Value)
	}
	ch.presence = ch.value("presence_id")
}

// sipVars is what mod_sofia sets on the leg of a telephone that calls.
func (s *Switch) sipVars(ch *channel, t Telephone, login, from, ext string, known bool) {
	user, host, _ := strings.Cut(from, "@")
	ch.p.username = user
	for _, v := range []header{{"sip_from_user", user}, {"sip_from_uri", from}, {"sip_from_host", host}, {"sip_network_ip", ch.p.address},
		{"sip_to_user", ext}, {"sip_to_host", s.opt.Domain}, {"sip_req_user", ext}, {"endpoint_disposition", "DELAYED NEGOTIATION"}} {
		ch.set(v.name, v.value)
	}
	if known {
		own := login + "@" + s.opt.Domain
		auth := []header{{"sip_auth_username", login}, {"sip_auth_realm", s.opt.Domain}, {"requested_user_name", login}, {"requested_domain_name", s.opt.Domain}}
		if t.ACL {
			auth = []header{{"sip_acl_authed_by", "domains"}, {"sip_acl_token", own}}
		}
		for _, v := range append(auth, header{"sip_authorized", "true"}, header{"user_name", login}, header{"domain_name", s.opt.Domain}) {
			ch.set(v.name, v.value)
		}
	}
	if known || t.Guest { // a profile of telephones, with manage-presence
		ch.presence = from
		ch.set("presence_id", ch.presence)
	}
}

// exports are the variables that a leg gives the ones that it originates, or in a
// queue is connected with, by the name of its list of them.
func (ch *channel) exports(list string) []header {
	names := ch.value(list)
	if names == "" {
		return nil
	}
	out := []header{{list, names}}
	for name := range strings.SplitSeq(names, ",") {
		if v, ok := ch.get(name); ok {
			out = append(out, header{strings.TrimPrefix(name, "nolocal:"), v})
		}
	}
	return out
}

// take sets variables that another leg has exported.
func (ch *channel) take(vars []header) {
	for _, v := range vars {
		if ch.set(v.name, v.value); v.name == "presence_id" {
			ch.presence = v.value
		}
	}
}

// apiVertoContact is verto_contact: the connections of a user's clients.
func (s *Switch) apiVertoContact(arg string) string {
	user, domain, _ := strings.Cut(strings.TrimSpace(arg), "@")
	if c, ok := s.verto[user]; ok && domain == s.opt.Domain {
		return "verto.rtc/u:" + c.Session
	}
	return "error/user_not_registered"
}

// apiVerto is verto, of which the simulation has jsonstatus.
func (s *Switch) apiVerto(arg string) string {
	if strings.TrimSpace(arg) != "jsonstatus" {
		return "-ERR Unknown Command!\n"
	}
	type user struct {
		User   string `json:"user"`
		Domain string `json:"domain"`
		Entity string `json:"entity"`
		Type   string `json:"type"`
		State  string `json:"state"`
	}
	users := []user{}
	for number := range s.verto {
		users = append(users, user{number, s.opt.Domain, number + "@" + s.opt.Domain, "WS", "CONN_REG"})
	}
	out, err := json.Marshal(map[string]any{"profiles": []map[string]any{{"name": "default", "type": "BASIC", "state": "RUNNING", "users": users}}})
	if err != nil {
		return "-ERR " + err.Error() + "\n"
	}
	return string(out) + "\n"
}

// apiUserData is user_data, of which the simulation has variables.
func (s *Switch) apiUserData(arg string) string {
	a := append(fields(arg, 3), "", "", "")
	user, domain, _ := strings.Cut(a[0], "@")
	if !s.inDirectory(user) || domain != s.opt.Domain || a[1] != "var" {
		return ""
	}
	return s.opt.UserVars[user][a[2]]
}
