// Package seal authenticates what livemon leaves on a switch and reads back
// later, perhaps after a crash and by another controller: marks on legs, and the
// names of its rooms. It is pure, but for loading the key's file.
//
// # Why
//
// Anybody's leg may bear any channel variable: a Verto client sets whatever it
// likes on its own, and a dialplan copies what callers choose. So a variable that
// says "this is a supervisor's leg" is worth nothing by itself. A mark carries a
// keyed hash (HMAC-SHA256), and so does a room's name. Who does not have the key
// can make neither.
//
// # What a mark is bound to
//
// The node's name, the channel's id, the direction in which the switch made the
// channel, and, once the channel is there, the moment at which it did. A mark that
// was copied to another leg does not open, nor does one on a later leg that was
// given the id of one that has gone: its owner can choose the id, but neither
// direction nor moment. A mark that is given to a channel before it is made
// cannot be bound to that moment: [Mark.Early] says so.
//
// Whoever can read channel variables can read marks: they are signed, not
// encrypted.
package seal
