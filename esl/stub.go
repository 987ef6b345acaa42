package esl

import (
	"context"
	"log/slog"
	"net"
	"time"
)

// Options are how a node's event socket is reached. The zero value of every field but Addr is a sane default.
type Options struct {
	Addr           string        // host:port
	Password       string        // the event socket's password
	DialTimeout    time.Duration // for connecting, authenticating and subscribing together; 5 s
	CommandTimeout time.Duration // for one command's reply; 5 s
	Heartbeat      time.Duration // silence after which the peer is asked for a sign of life; 5 s
	BackoffMin     time.Duration // first pause before another attempt; 100 ms
	BackoffMax     time.Duration // longest pause; 10 s
	QueueLimit     int           // events queued in a Stream before it ends with ErrGap; 100,000
	Logger         *slog.Logger  // slog.Default
	Dial           func(ctx context.Context, network, addr string) (net.Conn, error)
}

// Client sends commands to one node.
type Client struct{}

// NewClient returns a Client, which dials when it is first used.
func NewClient(o Options) *Client { return &Client{} }

// API runs an api command and returns its output.
func (c *Client) API(ctx context.Context, line string) (string, error) { return "", ErrClosed }

// BGAPI starts a background job.
func (c *Client) BGAPI(ctx context.Context, jobID, line string) error { return ErrClosed }

// Execute has a channel execute an application.
func (c *Client) Execute(ctx context.Context, channel, app, arg string) error { return ErrClosed }

// Run keeps the connection alive until ctx ends, then closes it.
func (c *Client) Run(ctx context.Context) error { return nil }

// Close ends the connection.
func (c *Client) Close() error { return nil }

// Subscription is which events, and which of their headers, a Stream delivers.
type Subscription struct {
	Events  []string
	Headers []string
}

// Event is one event.
type Event struct {
	Name, Subclass string
	Time           time.Time
	Body           string
}

// Get returns a header.
func (e *Event) Get(header string) string { return "" }

// NewEvent makes an event.
func NewEvent(headers map[string]string, body string) *Event { return &Event{} }

// ParseEvent parses an event.
func ParseEvent(plain []byte, headers []string) (*Event, error) { return nil, ErrProtocol }

// Stream is a connection's events.
type Stream struct{}

// DialStream opens a stream.
func DialStream(ctx context.Context, o Options, sub Subscription) (*Stream, error) {
	return nil, ErrClosed
}

// Next returns the next event.
func (s *Stream) Next(ctx context.Context) (*Event, error) { return nil, ErrClosed }

// Hasten has the switch deliver sooner.
func (s *Stream) Hasten(on bool) {}

// Close ends the stream.
func (s *Stream) Close() error { return nil }

// Handler consumes a Follower's events.
type Handler interface {
	Resync(ctx context.Context) error
	Event(ctx context.Context, e *Event)
	Lost(err error)
}

// Follower keeps a stream open.
type Follower struct{}

// NewFollower returns a Follower.
func NewFollower(o Options, sub Subscription, h Handler) *Follower { return &Follower{} }

// Run follows until ctx ends.
func (f *Follower) Run(ctx context.Context) error { return nil }

// Hasten has the switch deliver sooner.
func (f *Follower) Hasten(on bool) {}

// OutboundOptions limit an outbound server.
type OutboundOptions struct {
	MaxCalls       int
	ConnectTimeout time.Duration
	CommandTimeout time.Duration
	Logger         *slog.Logger
}

// OutboundCall is one call that the switch connected to us.
type OutboundCall struct{}

// ServeOutbound serves calls until ctx ends.
func ServeOutbound(ctx context.Context, ln net.Listener, o OutboundOptions, h func(ctx context.Context, c *OutboundCall)) error {
	return nil
}

// Channel is the call's channel id.
func (c *OutboundCall) Channel() string { return "" }

// Get returns a header of the call.
func (c *OutboundCall) Get(header string) string { return "" }

// Execute starts an application.
func (c *OutboundCall) Execute(ctx context.Context, app, arg string) error { return ErrClosed }

// ExecuteWait runs an application to its end.
func (c *OutboundCall) ExecuteWait(ctx context.Context, app, arg string) error { return ErrClosed }

// API runs an api command.
func (c *OutboundCall) API(ctx context.Context, line string) (string, error) { return "", ErrClosed }

// Hangup ends the call.
func (c *OutboundCall) Hangup(ctx context.Context, cause string) error { return ErrClosed }

// Release leaves the call to the switch.
func (c *OutboundCall) Release(ctx context.Context) error { return ErrClosed }
