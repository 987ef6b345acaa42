package esl

import (
	"net"
	_ "unsafe" // for go:linkname

	"github.com/percipia/eslgo"
)

// newConnection is eslgo's constructor of a connection on a net.Conn that is
// already there. eslgo v1.5.2 does not export it, and what it exports instead,
// InboundOptions.Dial, cannot be made safe from outside:
//
//   - it dials by itself, without a context;
//   - it starts two goroutines (authLoop and disconnectLoop) that read a map
//     which Close writes, without a lock: a data race at every close, and now
//     and then the end of the process;
//   - it reads the peer's bytes unchecked: a negative Content-Length is a panic,
//     a control character in a reply ends its reader without a word.
//
// newConnection starts neither of the two goroutines, and lets us dial,
// authenticate, check each message and close. Should eslgo rename it, the program
// does not link; TestEslgoVersion holds its signature to the version read.
//
//go:linkname newConnection github.com/percipia/eslgo.newConnection
func newConnection(c net.Conn, outbound bool, opts eslgo.Options) *eslgo.Conn
