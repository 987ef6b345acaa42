package esl

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Options are how one node's event socket is reached. The zero value of every
// field but Addr stands for the default that its comment gives.
type Options struct {
	Addr     string // host:port; there is no default
	Password string // the event socket's own; no line break or NUL

	DialTimeout    time.Duration // connecting, authenticating and subscribing together; 5 s
	CommandTimeout time.Duration // one command, from its first byte to its reply; 5 s
	Heartbeat      time.Duration // silence after which the peer is asked for a sign of life; 5 s

	BackoffMin time.Duration // the first pause before another attempt, give or take half; 100 ms
	BackoffMax time.Duration // the longest pause; 10 s

	QueueLimit int // events that a Stream queues before it ends with ErrGap; 100,000

	Logger *slog.Logger // slog.Default()

	// Dial opens the connection and must return when its context ends; the
	// default is that of net.Dialer.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
}

// The defaults of Options, and of OutboundOptions where they share a field.
const (
	defaultTimeout    = 5 * time.Second
	defaultBackoffMin = 100 * time.Millisecond
	defaultBackoffMax = 10 * time.Second
	defaultQueueLimit = 100_000
)

// withDefaults fills in what was left out.
func (o Options) withDefaults() Options {
	o.DialTimeout = positive(o.DialTimeout, defaultTimeout)
	o.CommandTimeout = positive(o.CommandTimeout, defaultTimeout)
	o.Heartbeat = positive(o.Heartbeat, defaultTimeout)
	o.BackoffMin = positive(o.BackoffMin, defaultBackoffMin)
	o.BackoffMax = max(positive(o.BackoffMax, defaultBackoffMax), o.BackoffMin)
	if o.QueueLimit <= 0 {
		o.QueueLimit = defaultQueueLimit
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.Dial == nil {
		o.Dial = new(net.Dialer).DialContext
	}
	return o
}

// check tells whether these options can work at all.
func (o Options) check() error {
	if o.Addr == "" {
		return &Error{Op: "dial", Kind: ErrArgument, Err: errors.New("no address")}
	}
	return CheckLine(o.Password)
}

// pauses returns the lengths of the pauses between attempts: growing from
// BackoffMin to BackoffMax, each one up to half longer or shorter by chance, so
// that the controllers of a switch do not all come back in the same instant.
func (o Options) pauses() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval, b.MaxInterval = o.BackoffMin, o.BackoffMax
	b.Reset()
	return b
}

// positive returns d, or the default where d is not a length of time.
func positive(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}
