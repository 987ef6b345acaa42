// Package sipphone is a set of SIP telephones for tests: each answers when a
// switch calls it, or calls one itself, speaks a tone of its own in G.711, and
// notes for every packet that it receives which tones are in it. So a test knows
// who was heard by whom, in which 20 ms.
//
// A telephone can hold and resume, press keys (RFC 4733, SIP INFO, or tones),
// transfer its partner blindly or with consultation, fall silent, and hang up; it
// can also refuse a call, or let it ring. Signalling is SIP over UDP, by sipgo;
// media is plain RTP with PCMU alone.
//
// It is no telephone for people: it neither registers nor authenticates, has no
// jitter buffer, no encryption and no other codec, and answers every request
// without asking who it is from. Only tests use it.
//
// What it guarantees: packets leave at intervals of 20 ms of the process's clock
// (a machine that is late catches up), every received packet is a window with
// its time of arrival, memory is bounded, and Close waits for every goroutine.
package sipphone
