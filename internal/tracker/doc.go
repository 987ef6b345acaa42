// Package tracker learns one node's agents and calls from its switch: events
// and full reads in, changes out. It is memory and nothing else: no sockets, no
// store, no goroutines, no clock of its own. It does not decide who may listen
// to whom, and sends no commands; SnapshotCommands says what a caller must ask.
//
// # Agents
//
// An agent is one of mod_callcenter's (by name), or a plain extension: a user
// of the directory, known from list_users, a registration, a leg on which the
// switch names the user, or the answer to user_exists. A mod_callcenter agent whose contact is an extension and that
// extension are one agent, under mod_callcenter's name. Whoever else is on a
// channel (an outside caller, a gateway's leg) is a user and never an agent; a
// supervisor's leg is neither. Where two extensions talk, both are agents, and
// each is the other's user.
//
// Whose a leg is comes from the switch: see package identity. An inbound leg is an
// agent's by the login on it, or because mod_callcenter says so; one that has not
// authenticated itself is so only from an address that the caller trusts. An
// outbound leg is an agent's because the switch dialled that user. Of legs of
// mod_verto, and of those that they originate, no variable counts.
//
// # Calls
//
// A call is two legs that were bridged with each other last. Its id is a digest
// of both channels' ids in an order of its own, so it is the same seen from
// either side, after a move into a room of ours and back, after a hold, and
// after a restart; with another partner it is another call. A leg in a
// conference of the shop's own is a call without a user, and its id is the
// channel's. Two agents who talk to each other share one id, and there is one
// Call for each of them.
//
// A call lasts as long as the agent's leg. When the user's leg is gone, or has
// gone to somebody else, the call stays with an empty User until the agent's
// leg is gone too. Between two places (a bridge and a room of ours, or the way
// back) it does not change.
//
// # What it guarantees
//
//   - No call refers to a leg that is gone, and no agent has more than one
//     current call. (He may have others, on hold.)
//   - Applying an event or a full read twice changes nothing the second time. A
//     hangup of an unknown channel is nothing; a leg whose creation was missed
//     is learnt from any later event of its own.
//   - Events of one stream are taken in the order they are applied; times and
//     sequence numbers decide nothing. Since is the switch's own time of the
//     event that changed the state.
//   - A full read that cannot be understood changes nothing.
//   - Whose a leg is stays what it was when the leg began: a bridge may give a leg
//     the other one's variables.
//   - Numbers from outside cost no more than a constant number of questions to the
//     directory between two full reads.
//   - Nothing from the switch is trusted: names, numbers and ids come out printable
//     and bounded, and memory is bounded by what the switch has now. A leg is shown
//     whatever its id is; package fsapi says which ids can be part of a command.
//
// A Tracker is not safe for concurrent use.
package tracker
