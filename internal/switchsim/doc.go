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
//   - Whoever eavesdrops on a muted member hears him, whispers to whoever he was told to,
//     wherever that leg goes, and stops only with one of the legs. Putting something
//     on a leg (an eavesdropper, a recording) costs 40 ms of what its telephone says.
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
// plays something, or says it by UDP, and tone_detect finds a tone that is heard
// alone.
// Of the applications, the api commands and the conference commands it has
// those that a call centre's controller uses; others are answered as unknown.
// Events come in the formats plain and json, not xml. PRESENCE_IN, CODEC and
// CALL_UPDATE are not fired.
//
// A client may say 'api sim …' to it, which no real switch knows: see there.
package switchsim
