// Package selftest proves on a running switch that livemon's rooms let those
// hear each other who should, and nobody else: without telephones, and without
// access to the switch's file system.
//
// It makes a call of its own between two loopback legs, and supervisors' legs,
// leads them through livemon's roles with conference.Plan and the commands that
// a session uses, and lets one of them sound a tone at a time while it finds out
// who of the others hears it. While something changes all sound at once.
//
// The test itself is the legs' telephones: the switch sends what each hears by
// UDP, and takes what each says from there (sendmsg unicast). So every frame is
// searched for those who must not be in it, and the gaps of the call's moves are
// measured, as the switch sends them. Packets from elsewhere are ignored. Where
// none come the switch plays the tones and says who detects them, as far as that
// goes: it needs some 40 ms of a tone, and takes from 70 ms to half a second.
//
// It touches no channel and no room but its own: they bear none of livemon's
// marks, so that a running service leaves them alone, and its own mark, by which
// it ends them, whatever happened. Should it be killed, or lose the switch for
// good, its legs end by themselves within twice Config.Life.
//
// It says nothing of telephones and their codecs, nor of the network between them
// and the switch.
package selftest
