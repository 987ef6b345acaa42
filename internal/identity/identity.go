// Package identity says whose telephone a leg of the switch is. It believes what
// the switch itself has found out, and nothing that a telephone can choose.
//
// What a telephone can choose differs by the module that serves it. A client of
// mod_verto puts any variable on its own legs, and by export_vars on the legs
// that these originate. A SIP telephone chooses its From header, from which
// mod_sofia makes the presence id, and variables whose names begin with "sip_h_"
// and the like. Neither can choose a header of the caller profile.
package identity

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The modules whose legs are treated apart, as Caller-Source names them.
const (
	Sofia    = "mod_sofia"
	Verto    = "mod_verto"
	Loopback = "mod_loopback"
)

// Header reads a header of an event of a leg's own, or of its "uuid_dump … json".
// It returns "" where there is none.
type Header func(name string) string

// Headers returns the headers that the functions of this package read.
func Headers() []string {
	return []string{
		"Call-Direction", "Channel-Name", "Channel-Presence-ID", "Caller-Source", "Caller-Username", "Caller-Destination-Number",
		"Other-Type", "Other-Leg-Unique-ID", "Other-Leg-Source", "Other-Leg-Channel-Name",
		"variable_sip_authorized", "variable_sip_auth_username", "variable_requested_domain_name", "variable_sip_acl_token",
		"variable_number_alias", "variable_user_name", "variable_sip_network_ip", "variable_dialed_user", "variable_dialed_domain",
		"variable_export_vars", "variable_bridge_export_vars", "variable_cc_export_vars", "variable_other_loopback_leg_uuid",
	}
}

// proofs are the variables by which mod_sofia names the user that it has authenticated.
var proofs = []string{"sip_authorized", "sip_acl_token", "sip_auth_username", "requested_domain_name", "number_alias", "user_name"}

// Caller returns the user (user@domain) that the switch has authenticated on an
// inbound leg, or "" if it has authenticated nobody there. The leg's first event
// is the best witness: a bridge may give a leg variables of the other one's.
func Caller(get Header) string {
	if get("Call-Direction") != "inbound" {
		return "" // the caller profile of an outbound leg is that of the leg that dials
	}
	switch get("Caller-Source") {
	case Verto:
		return User(get("Caller-Username"))
	case Sofia:
		if get("variable_sip_authorized") != "true" || slices.ContainsFunc(proofs, func(name string) bool { return Exported(get, name) }) {
			return ""
		}
		if token := get("variable_sip_acl_token"); token != "" {
			return User(token)
		}
		user, domain := get("variable_sip_auth_username"), get("variable_requested_domain_name")
		if alias := get("variable_number_alias"); alias != "" && alias == user {
			user = get("variable_user_name") // the directory's own name of the user
		}
		if user == "" || domain == "" {
			return ""
		}
		return User(user + "@" + domain)
	}
	return ""
}

// Claim returns the user that a SIP telephone says it is without having shown
// it, and the address that it calls from.
func Claim(get Header) (user, address string) {
	if get("Call-Direction") != "inbound" || get("Caller-Source") != Sofia || get("variable_sip_authorized") == "true" {
		return "", ""
	}
	return User(get("Channel-Presence-ID")), get("variable_sip_network_ip")
}

// ChoosesNumber reports whether the end point on the leg chooses its caller ID,
// however far the lines to the switch are trusted.
func ChoosesNumber(get Header) bool {
	switch get("Caller-Source") {
	case Verto, Loopback, "":
		return true
	}
	return false
}

// Session returns the mod_verto session that an outbound leg leads to: "" if it
// leads to no client of mod_verto.
func Session(get Header) string {
	if get("Call-Direction") != "outbound" {
		return ""
	}
	if session, ok := strings.CutPrefix(get("Caller-Destination-Number"), "u:"); ok {
		return session
	}
	if session, ok := strings.CutPrefix(get("Channel-Name"), "verto.rtc/"); ok {
		return strings.TrimPrefix(session, "u:")
	}
	return ""
}

// Serves reports whether an answer to "verto_contact USER@DOMAIN" lists a
// session: then the session's client has logged in as that user.
func Serves(contact, session string) bool {
	return session != "" && slices.Contains(strings.Split(strings.TrimSpace(contact), ","), "verto.rtc/u:"+session)
}

// Chosen reports whether a client of mod_verto may have chosen the leg's
// variables: the leg is its own, or was originated by one of its own.
func Chosen(get Header) bool {
	if get("Call-Direction") == "inbound" {
		return get("Caller-Source") == Verto
	}
	return Session(get) != "" || get("Other-Type") == "originator" &&
		(get("Other-Leg-Source") == Verto || strings.HasPrefix(get("Other-Leg-Channel-Name"), "verto."))
}

// Parent returns the channel that a leg has its variables from, or "": the one
// that originated it, or the other end of a loopback.
func Parent(get Header) string {
	if get("Call-Direction") == "inbound" {
		if get("Caller-Source") == Loopback {
			return get("variable_other_loopback_leg_uuid")
		}
		return ""
	}
	if get("Other-Type") == "originator" {
		return get("Other-Leg-Unique-ID")
	}
	return ""
}

// Dialled returns the user of the directory that an outbound leg was made by
// dialling, or "".
func Dialled(get Header) string {
	user, domain := get("variable_dialed_user"), get("variable_dialed_domain")
	if get("Call-Direction") != "outbound" || user == "" || domain == "" || Exported(get, "dialed_user") || Exported(get, "dialed_domain") {
		return ""
	}
	return User(user + "@" + domain)
}

// exportLists are the variables that name variables which a leg was given by
// another one. They are exported along with these.
var exportLists = []string{"export_vars", "bridge_export_vars", "cc_export_vars"}

// Exported reports whether a leg may have a variable from another leg, which
// chose it.
func Exported(get Header, name string) bool {
	for _, list := range exportLists {
		for one := range strings.SplitSeq(get("variable_"+list), ",") {
			one = strings.TrimSpace(one)
			for _, prefix := range []string{"nolocal:", "_nolocal_"} {
				if len(one) >= len(prefix) && strings.EqualFold(one[:len(prefix)], prefix) {
					one = one[len(prefix):]
				}
			}
			if strings.EqualFold(one, name) {
				return true
			}
		}
	}
	return false
}

const maxUser = 128

// User returns user@domain with the domain in lower case, or "" if s is not of
// that form or could not be part of a command.
func User(s string) string {
	if len(s) > maxUser {
		return ""
	}
	u, domain, ok := strings.Cut(s, "@")
	if !ok || u == "" || domain == "" || strings.Contains(domain, "@") {
		return ""
	}
	for _, r := range s {
		if r == utf8.RuneError || r == ' ' || !unicode.IsPrint(r) || strings.ContainsRune(`"'\{}[]<>|;,`, r) {
			return ""
		}
	}
	return u + "@" + strings.ToLower(domain)
}

// Dump reads an answer to "uuid_dump CHANNEL json". It returns nil if there is
// none, as when the channel has gone.
func Dump(answer []byte) Header {
	var all map[string]any
	if json.Unmarshal(answer, &all) != nil || all == nil {
		return nil
	}
	return func(name string) string {
		s, _ := all[name].(string) // a list is nothing that is asked for here
		return s
	}
}

// Clients returns the users (user@domain) in an answer to "verto jsonstatus", as
// mod_verto spells them.
func Clients(answer []byte) []string {
	var status struct {
		Profiles []struct {
			Users []struct {
				Entity string `json:"entity"`
				State  string `json:"state"`
			} `json:"users"`
		} `json:"profiles"`
	}
	if json.Unmarshal(answer, &status) != nil {
		return nil
	}
	var out []string
	for _, p := range status.Profiles {
		for _, u := range p.Users {
			if u.State == "CONN_REG" && User(u.Entity) != "" && !slices.Contains(out, u.Entity) {
				out = append(out, u.Entity)
			}
		}
	}
	return out
}
