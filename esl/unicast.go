package esl

import (
	"context"
	"errors"
	"net"
	"net/netip"

	"github.com/percipia/eslgo/command/call"
)

// Unicast has a channel that is parked exchange its audio with us: every 20 ms
// the switch sends what it receives from the channel to remote, in UDP packets of
// 16 bit samples at the channel's rate, and what arrives at local, an address of
// the switch's own, goes into the channel as it is. Port 0 lets the switch choose
// one; the packets that it sends come from there.
//
// The switch answers as soon as it has queued the order, and says nothing when it
// cannot bind local. It knows IPv4 only, and no two of them for one channel: the
// first would go on when the channel has ended. What is played to a channel that
// has one was seen not to end.
func (c *Client) Unicast(ctx context.Context, channel string, local, remote netip.AddrPort) error {
	const op = "unicast"
	if err := checkWord(op, channel); err != nil {
		return err
	}
	if !local.Addr().Unmap().Is4() || !remote.Addr().Unmap().Is4() {
		return &Error{Op: op, Kind: ErrArgument, Err: errors.New("an address that is not IPv4")}
	}
	return c.order(ctx, op, &call.Unicast{UUID: channel, Local: udpAddr(local), Remote: udpAddr(remote)})
}

func udpAddr(a netip.AddrPort) *net.UDPAddr {
	return net.UDPAddrFromAddrPort(netip.AddrPortFrom(a.Addr().Unmap(), a.Port()))
}
