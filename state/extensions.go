package state

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"livemon/internal/wire"
)

// AddExtension registers a number for live monitoring, or gives one that is
// registered a new name, and returns it as stored. A zero Added becomes now.
func (s *Store) AddExtension(ctx context.Context, e wire.Extension) (wire.Extension, error) {
	if err := checkName("extension", e.Number); err != nil {
		return wire.Extension{}, err
	}
	if e.Added.IsZero() {
		e.Added = time.Now().UTC()
	}
	v, err := encode("extension", e)
	if err != nil {
		return wire.Extension{}, err
	}
	c, cancel := s.bound(ctx)
	defer cancel()
	if err := s.rdb.HSet(c, extensionsKey, e.Number, v).Err(); err != nil {
		return wire.Extension{}, failure(ctx, "store extension", extensionsKey, err)
	}
	return e, nil
}

// RemoveExtension removes a number; ErrNotFound when it is not registered.
func (s *Store) RemoveExtension(ctx context.Context, number string) error {
	c, cancel := s.bound(ctx)
	defer cancel()
	n, err := s.rdb.HDel(c, extensionsKey, number).Result()
	if err != nil {
		return failure(ctx, "remove extension", extensionsKey, err)
	}
	if n == 0 {
		return fmt.Errorf("extension %.200q: %w", number, ErrNotFound)
	}
	return nil
}

// Extensions returns the registered numbers, sorted. One that is not understood
// fails the whole: were it left out, the list might become empty, and an empty
// list lets any number be rung.
func (s *Store) Extensions(ctx context.Context) ([]wire.Extension, error) {
	c, cancel := s.bound(ctx)
	defer cancel()
	all, err := s.rdb.HGetAll(c, extensionsKey).Result()
	if err != nil {
		return nil, failure(ctx, "read extensions", extensionsKey, err)
	}
	out := make([]wire.Extension, 0, len(all))
	for number, value := range all {
		e, err := decodeExtension(number, value)
		if err != nil {
			return nil, &CorruptError{Key: extensionsKey, Field: number, Err: err}
		}
		out = append(out, e)
	}
	slices.SortFunc(out, func(a, b wire.Extension) int { return strings.Compare(a.Number, b.Number) })
	return out, nil
}
