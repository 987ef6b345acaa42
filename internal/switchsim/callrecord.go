package switchsim

import (
	"maps"
	"slices"
	"strings"
)

// CallRecord is what a leg leaves behind: what its call detail record says, without
// what differs from call to call in any case (ids, times, addresses), and what its
// telephone was told or asked of by SIP after it was connected.
type CallRecord struct {
	Fields   map[string]string // as in CHANNEL_HANGUP_COMPLETE
	Messages []string
}

// volatile are parts of the names of what differs from call to call.
var volatile = []string{"uuid", "Unique-ID", "UUID", "Time", "epoch", "session_id", "call_id", "originator", "signal_bond", "duration", "billsec", "last_bridge_to",
	"bridge_to", "-Last-Hold", "-Hold-Accum", "Event-", "Core-", "FreeSWITCH-", "_sdp"}

// history are those that begin with a time and an id.
var history = []string{"variable_transfer_history", "variable_transfer_source", "Caller-Transfer-Source", "Other-Leg-Transfer-Source"}

// asked keeps that a telephone was told something, or asked for something, by SIP.
func (s *Switch) asked(ch *channel, what string) {
	if ch.sip && len(ch.messages) < 1000 {
		ch.messages = append(ch.messages, what)
	}
}

// callRecord is that of a leg as it is.
func (s *Switch) callRecord(ch *channel) CallRecord {
	e := s.newEvent("", "", ch.uuid, fromReport)
	ch.data(e)
	fields := map[string]string{}
	for _, h := range e.headers {
		if slices.ContainsFunc(volatile, func(part string) bool { return strings.Contains(h.name, part) }) {
			continue
		}
		v := h.value
		if slices.Contains(history, h.name) {
			if part := strings.SplitN(v, ":", 3); len(part) == 3 {
				v, _, _ = strings.Cut(part[2], ":")
			}
		}
		fields[h.name] = v
	}
	return CallRecord{Fields: fields, Messages: slices.Clone(ch.messages)}
}

// keepRecord keeps the record of a leg that has ended.
func (s *Switch) keepRecord(ch *channel) {
	if len(s.records) >= maxNumbers/10 {
		clear(s.records)
	}
	s.records[ch.uuid] = s.callRecord(ch)
}

// CallRecord is the record of a leg, by its channel's id: of one that has ended, or
// what it would be by now.
func (s *Switch) CallRecord(channel string) (CallRecord, bool) {
	s.lock()
	defer s.unlock()
	if ch := s.channels[channel]; ch != nil {
		return s.callRecord(ch), true
	}
	r, found := s.records[channel]
	return CallRecord{Fields: maps.Clone(r.Fields), Messages: slices.Clone(r.Messages)}, found
}
