// Package esl is one FreeSWITCH node's event socket: commands, events in the
// order in which the switch fired them, and the calls that the switch itself
// connects to us (the outbound socket).
//
// It knows nothing of conferences, agents or sessions, and keeps no state of the
// switch. Which commands are sent, and what an event means, is the caller's.
//
// What it guarantees:
//
//   - Every dial, authentication and command ends: with its context, or after
//     the time given in [Options].
//   - A reply is never taken for another command's. A connection whose command
//     was not answered is closed, and the next command dials a new one.
//   - Nothing with a line break or NUL reaches the wire ([CheckLine]).
//   - A [Stream] delivers events in wire order, and never leaves one out
//     silently: when the consumer is too slow the stream ends with [ErrGap].
//   - A peer that has died silently is noticed, whether commands are sent or not:
//     by [Client.Run], by every Stream, and by OutboundCall.ExecuteWait.
//   - Memory is bounded, whatever the peer sends.
//   - Every goroutine of this package has ended when Close, Run or ServeOutbound,
//     whichever started it, has returned; eslgo's two end with their socket.
package esl
