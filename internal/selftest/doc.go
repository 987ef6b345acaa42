// Package selftest proves on a running switch that livemon's rooms let those
// hear each other who should, and nobody else: without telephones, and without
// access to the switch's file system.
//
// It makes a call of its own between two loopback legs, and a supervisor's leg,
// leads them through livemon's roles with conference.Plan and the commands that
// a session uses, and lets one of them sound a tone at a time while the switch
// says who of the others detects it.
//
// It touches no channel and no room but its own: they bear none of livemon's
// marks, so that a running service leaves them alone, and its own mark, by which
// it ends them, whatever happened. Should it be killed, or lose the switch for
// good, its legs end by themselves within twice Config.Life.
//
// What it cannot do: the switch needs some 40 ms of a tone, and takes 200, to
// detect it. So it finds who hears whom, not the frames of a leak, and not how
// long a move is heard as a gap. It says nothing of telephones and their codecs.
package selftest
