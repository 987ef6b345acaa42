// Package conformance holds what livemon relies on a FreeSWITCH to do, as cases
// that run alike against a real switch and against the simulated one.
//
// Each case states one fact and finds out whether it holds: it rings telephones,
// sends commands over the event socket, and looks at what every telephone heard,
// in windows of 20 ms. The facts are the real switch's; a case is written from
// what that does, and the simulation has to follow. Where it does not yet, the
// case says how it differs, and fails as soon as it no longer does.
//
// 'make test' runs all cases against internal/switchsim. 'make test-switch
// FS=host:port' runs them against a switch as well, with SIP telephones of its
// own (internal/sipphone), and can write a report: see docs/conformance.md.
//
// On a real switch it touches no channel and no room but its own, which bear a
// mark, and leaves none behind. It does not test livemon's service, and says
// nothing of codecs other than G.711.
package conformance
