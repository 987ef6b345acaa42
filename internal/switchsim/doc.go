// Package switchsim is a simulated FreeSWITCH: an event socket server with
// channels, bridges, mod_conference and mod_callcenter that behaves towards
// its clients as FreeSWITCH 1.10 was seen to behave, its holes included.
package switchsim
