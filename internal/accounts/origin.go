package accounts

import (
	"errors"
	"net/netip"
)

// prefix64 is the address, or for IPv6 its network of 64 bits, of an address
// with or without a port.
func prefix64(from string) (string, error) {
	addr, err := netip.ParseAddr(from)
	if err != nil {
		with, err := netip.ParseAddrPort(from)
		if err != nil {
			return "", errors.New("no address")
		}
		addr = with.Addr()
	}
	addr = addr.Unmap().WithZone("")
	if addr.Is4() {
		return addr.String(), nil
	}
	p, err := addr.Prefix(64)
	return p.String(), err
}
