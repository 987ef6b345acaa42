package state

import (
	"crypto/tls"
	"log/slog"
	"time"
)

// How long things live in Redis when nobody renews them.
const (
	dataTTL    = 10 * time.Minute // a node's agents and calls, renewed by writes and by lease renewal
	sessionTTL = 24 * time.Hour   // a session, renewed by every write to it
	endedTTL   = time.Hour        // a session that has ended
	nodeTTL    = 24 * time.Hour   // a node's name, renewed with its lease
)

// Limits on what is written and read. They are far above what a switch
// produces; they bound what a hostile one can.
const (
	maxName  = 8 << 10  // bytes of a node, agent, call or session name
	maxValue = 64 << 10 // bytes of one stored value
	maxNodes = 10000
)

// Options tune a Store. The zero value is right for a Redis in the same
// network; timeouts given in the URL come before these.
type Options struct {
	// DialTimeout bounds connecting, IOTimeout each read and each write. Both
	// default to one second.
	DialTimeout, IOTimeout time.Duration
	// OpTimeout bounds one request to Redis with its retries; it defaults to
	// three seconds. A method makes at most four requests.
	OpTimeout time.Duration
	// TLSConfig is used for rediss URLs; nil means the system's roots.
	TLSConfig *tls.Config
	// Logger takes what could not be understood; nil means slog.Default().
	Logger *slog.Logger
}

func (o Options) withDefaults() Options {
	if o.DialTimeout <= 0 {
		o.DialTimeout = time.Second
	}
	if o.IOTimeout <= 0 {
		o.IOTimeout = time.Second
	}
	if o.OpTimeout <= 0 {
		o.OpTimeout = 3 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}
