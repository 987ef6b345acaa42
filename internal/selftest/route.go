package selftest

import (
	"context"
	"net"
	"net/netip"
	"strings"

	"livemon/esl"
	"livemon/internal/fsapi"
)

// route is how the switch and we see each other.
type route struct{ ours, theirs netip.Addr }

// open opens the stream of events, and notes which way it goes.
func (t *test) open(ctx context.Context, o esl.Options) (route, error) {
	var r route
	o.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil {
			r = route{address(conn.LocalAddr()), address(conn.RemoteAddr())}
		}
		return conn, err
	}
	var err error
	t.events, err = esl.DialStream(ctx, o, earEvents)
	return r, err
}

func address(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap()
}

// listenForAudio opens the test's own end of the audio.
func (t *test) listenForAudio(ctx context.Context, r route) error {
	peers := []netip.Addr{r.theirs}
	// Behind an address translation the switch sends from an address of its own.
	own, err := t.api(ctx, fsapi.Global(fsapi.Name("local_ip_v4")))
	if err != nil && !refused(err) {
		return err
	}
	if a, err := netip.ParseAddr(strings.TrimSpace(own)); err == nil {
		peers = append(peers, a.Unmap())
	}
	m, err := openMedia(t.cfg.MediaListen, r.ours, peers)
	if err != nil {
		t.unmeasured(err)
		return nil
	}
	t.media = m
	t.report.Media = Media{Measured: true, Address: m.told.String()}
	return nil
}

// unmeasured goes on without audio.
func (t *test) unmeasured(why error) {
	if t.media != nil {
		t.media.close()
		t.media = nil
	}
	t.report.Media = Media{
		Address: t.report.Media.Address, Detail: why.Error(),
		Do: "Let UDP pass between the switch and this machine, both ways, or name with --media-listen an IPv4 address and port of this machine that the switch reaches.",
	}
}
