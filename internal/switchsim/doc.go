// Package switchsim is a simulated FreeSWITCH: an event socket server with
// channels, bridges, mod_conference and mod_callcenter that behaves towards
// its clients as FreeSWITCH 1.10 was seen to behave, its holes included. The
// tests and the demo run against it, and 'livemon switchsim' serves it to
// people and scripts. It shares no code with livemon's clients, so that their
// agreement means something.
//
// # What it guarantees
//
// It computes at every 20 ms frame who hears whom (Hears, Truth, OnFrame), from
// the bridges and the rooms as they are at that moment. Everything happens in one
// order, under one lock, at times of the switch's own clock: a machine that is
// late sees the same sequence as one that is not. That clock stands still while the
// machine does not run the switch. Events reach each connection in the order in
// which they were fired. Close waits for everything it started.
//
// # What it has of the real one's holes
//
//   - +OK says nothing of a move: a leg without a partner, a partner that could
//     not be moved and a leg that died on the way are answered like success.
//   - add-member is fired some milliseconds before commands find the member.
//   - Relations are open by default: whoever joins hears everybody. They fire no
//     event, clearing one always succeeds, and leaving a room wipes them.
//   - Whoever is taken out of a room or hangs up while he can speak, or within 60 ms
//     after he was muted, is heard by all for 30 ms, for his relations are gone first. A
//     relation that is cleared within 60 ms after its owner was muted leaks the
//     rest of what he said.
//   - A profile that does not exist gives a room without it, silently; an unset or
//     unknown group of caller controls is the group "default".
//   - The member flag endconf hangs up whoever has not left when its owner leaves.
//   - A locked room refuses only those legs whose conference_enforce_security is
//     true, which is the default for inbound ones: outbound legs walk in.
//   - Without signal_bond a telephone's REFER is refused, and its hold gives the
//     other party silence.
//   - A tap (a loopback in a room whose other end runs eavesdrop on a leg) hears that leg
//     wherever it goes, with whatever partner, and stops only with one of them; it hears
//     a member whom his room has muted. It is heard as far as the last key said that its
//     other end has taken, one key a frame. Global variables count for it as its own do.
//   - A later tap or recording hears what an earlier one says to the leg's telephone, and
//     not the other way round; what one says for the leg is heard by all of them.
//   - Putting a tap or a recording on a leg costs some of what its telephone says, by its
//     packets' time; with a jitter buffer of one packet nothing. 'uuid_jitterbuffer off'
//     leaves the buffer on.
//   - A leg that is armed (transfer_after_bridge) and held by its partner is hung up with
//     him. A leg behind whose bridge the shop executes something cannot be transferred out
//     of it: it executes that, or stays in silence. An arm waits for the next bridge.
//   - A caller whose agent leaves in the middle of an att_xfer is hung up.
//   - A leg goes on after its bridge as its own variables say, but not after a room,
//     and a move into one takes the rest of the caller's dialplan away.
//   - A standby agent of mod_callcenter is free again as soon as he is in a room, and
//     the next caller takes him out of it.
//   - Keys by SIP INFO or in the audio are ignored unless the leg was told to take them.
//   - 'show' is 50 ms behind; an api command holds up its connection's events; an
//     execute of an unknown application hangs up the call.
//
// # What it does not do
//
// There is no audio but that of sendmsg unicast, no SIP and no media file: a telephone is what SetPhone says,
// files are names that play for half a second, a loopback is a telephone of that
// name. loopback/app=APP is both ends of one: the first is heard while the second
// plays something, or says it by UDP; else it is heard as what the second one hears.
// tone_detect finds a tone that is heard alone. What is recorded is not audio, but
// who was recorded (Recording). Of SIP messages only those are known that CallRecord
// tells of. Expressions in a dialplan are Go's, without look-ahead.
// Of the applications, the api commands and the conference commands it has
// those that a call centre's controller uses; others are answered as unknown.
// Events come in the formats plain and json, not xml. PRESENCE_IN, CODEC and
// CALL_UPDATE are not fired.
//
// A client may say 'api sim …' to it, which no real switch knows: see there.
package switchsim
