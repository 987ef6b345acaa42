// Package monitor is livemon's service: sessions from the request until the
// supervisor has left, on every node that this process controls.
//
// Nothing that a supervisor asks for becomes a switch command directly. It
// changes what is desired of a session - checked, recorded, stored - and the
// call's reconciler compares that with what the switch shows: [decide] says what
// the call as a whole needs next, conference.Plan what its room needs. The same
// two functions run when the room changes by itself, after a restart, and after
// a lost connection; there is no second path for recovery.
//
// One goroutine a call sends that call's commands and waits for their effects,
// so calls do not wait for each other. Events of a node are handled in the order
// in which the switch fired them, by one goroutine that never waits for a switch
// command.
//
// The package guarantees the invariants of docs/architecture.md as far as a
// controller can. It does not know what the API or the command line look like,
// and it keeps no state of its own that could not be read back from the switch
// and the store.
package monitor
