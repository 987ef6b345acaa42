package state

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"livemon/internal/fault"
)

// Store is livemon's data in one Redis. It is safe for concurrent use.
type Store struct {
	rdb      redis.UniversalClient
	opts     Options
	embedded *embedded // nil with a real Redis

	// turns keeps changes of one session in the order in which they were
	// recorded: who holds a session's turn records and stores as one.
	turns [64]chan struct{}
	seed  maphash.Seed

	// chain is held while the audit stream is added to; it guards chainHead, the
	// chain's head as far as this process knows.
	chain     chan struct{}
	chainHead Head

	lastSkip atomic.Int64 // when an unreadable value was last logged, Unix nanoseconds
}

// Open makes a store for a URL: "embedded", redis://, rediss://, unix://,
// redis+sentinel://host1,host2/master/db or redis+cluster://host1,host2 (also
// rediss+...). It fails on a URL that cannot be used, with ErrURL, but not when
// Redis cannot be reached: that is for each call to say, and for Ping. ctx is
// only looked at, not kept. The caller must Close the store.
func Open(ctx context.Context, url string, o Options) (*Store, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	quietClient()
	s := &Store{opts: o.withDefaults(), seed: maphash.MakeSeed(), chain: make(chan struct{}, 1)}
	for i := range s.turns {
		s.turns[i] = make(chan struct{}, 1)
	}
	if url == EmbeddedURL {
		s.embedded = newEmbedded()
		s.rdb = s.embedded.client(s.opts)
		return s, nil
	}
	var err error
	s.rdb, err = newClient(url, s.opts)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Close ends all connections and, if there is one, the embedded server with
// its data. Calls under way fail.
func (s *Store) Close() error {
	err := s.rdb.Close()
	if errors.Is(err, redis.ErrClosed) {
		err = nil
	}
	if s.embedded != nil {
		s.embedded.close()
	}
	return err
}

// Embedded tells whether the data lives, and ends, with this process.
func (s *Store) Embedded() bool { return s.embedded != nil }

// Ping asks Redis for a sign of life.
func (s *Store) Ping(ctx context.Context) error {
	c, cancel := s.bound(ctx)
	defer cancel()
	return failure(ctx, "ping the state store", "", s.rdb.Ping(c).Err())
}

// bound limits one request to Redis, retries included.
func (s *Store) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, s.opts.OpTimeout)
}

// failure gives an error from the client its code. A caller who gave up
// himself gets his own context's error, without one.
func failure(ctx context.Context, op, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(ctx.Err(), context.Canceled):
		return fmt.Errorf("state: %s: %w", op, ctx.Err())
	case strings.Contains(err.Error(), "WRONGTYPE"):
		err = &CorruptError{Key: key, Err: err}
	}
	return fault.Wrap(fault.StoreUnavailable, op, err)
}

// turn waits for the session's turn and returns what gives it back.
func (s *Store) turn(ctx context.Context, id string) (func(), error) {
	c := s.turns[maphash.String(s.seed, id)%uint64(len(s.turns))]
	select {
	case c <- struct{}{}:
		return func() { <-c }, nil
	case <-ctx.Done():
		return nil, failure(ctx, "wait for the session's turn", "", ctx.Err())
	}
}

// skipped logs a value that was left out of a list, at most one in ten seconds:
// lists are read often, and the value stays until somebody overwrites it.
func (s *Store) skipped(err error) {
	now, last := time.Now().UnixNano(), s.lastSkip.Load()
	if now-last < int64(10*time.Second) || !s.lastSkip.CompareAndSwap(last, now) {
		return
	}
	s.opts.Logger.Error("a value in the state store was left out", slog.Any("error", err))
}

// quietClient sends the Redis client's own messages, which repeat what its
// errors say, to the debug log instead of standard error.
var quietClient = sync.OnceFunc(func() { redis.SetLogger(clientLog{}) })

type clientLog struct{}

func (clientLog) Printf(ctx context.Context, format string, v ...any) {
	if slog.Default().Enabled(ctx, slog.LevelDebug) {
		slog.DebugContext(ctx, "redis client", slog.String("message", fmt.Sprintf(format, v...)))
	}
}
