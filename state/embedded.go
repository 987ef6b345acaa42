package state

import (
	"context"
	"net"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// embeddedTick is how late an embedded server's keys may expire.
const embeddedTick = 100 * time.Millisecond

// embedded is a Redis server inside the process. It has no socket: nobody but
// this process can reach it.
type embedded struct {
	mu     sync.Mutex // guards closed, and with it against a dial that would revive the server
	closed bool
	server *miniredis.Miniredis
	stop   chan struct{}
	done   chan struct{}
}

func newEmbedded() *embedded {
	e := &embedded{server: miniredis.NewMiniRedis(), stop: make(chan struct{}), done: make(chan struct{})}
	go e.clock()
	return e
}

// clock moves the server's time with the real one: by itself it stands still,
// and nothing would ever expire.
func (e *embedded) clock() {
	defer close(e.done)
	t := time.NewTicker(embeddedTick)
	defer t.Stop()
	last := time.Now()
	for {
		select {
		case <-e.stop:
			return
		case <-t.C:
			now := time.Now()
			e.server.FastForward(now.Sub(last))
			last = now
		}
	}
}

func (e *embedded) dial(context.Context, string, string) (net.Conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, net.ErrClosed
	}
	return e.server.Dial()
}

func (e *embedded) client(o Options) redis.UniversalClient {
	return redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: []string{EmbeddedURL}, Dialer: e.dial, DialerRetries: 1, MaxRetries: 1,
		ReadTimeout: o.OpTimeout, WriteTimeout: o.OpTimeout, PoolTimeout: o.OpTimeout, ContextTimeoutEnabled: true,
		PipelinePoolSize: -1, DisableIdentity: true, MaintNotificationsConfig: noMaint(),
	})
}

func (e *embedded) close() {
	e.mu.Lock()
	already := e.closed
	e.closed = true
	e.mu.Unlock()
	if !already {
		close(e.stop)
	}
	<-e.done
	e.server.Close()
}
