package state_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"livemon/internal/wire"
	"livemon/state"
)

func TestTokens(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		sue := value(s.CreateAccount(ctx, account("sue", "1"), false))(t)
		sam := value(s.CreateAccount(ctx, account("sam", "2"), false))(t)
		hash := func(n int) string { return fmt.Sprintf("%064x", n) }
		must(t, s.AddToken(ctx, sue, wire.Token{ID: "one", Name: "wallboard", Created: noon, Account: "sam"}, hash(1)))
		must(t, s.AddToken(ctx, sue, wire.Token{ID: "one", Created: noon}, hash(1))) // the answer was lost
		wants(t, s.AddToken(ctx, sam, wire.Token{ID: "one"}, hash(2)), state.ErrExists)
		must(t, s.AddToken(ctx, sam, wire.Token{ID: "two", Created: noon.Add(time.Hour)}, hash(2)))

		tok, a, err := s.Token(ctx, "one")
		must(t, err)
		if tok.Account != "sue" || tok.Name != "wallboard" || tok.Hash != hash(1) || tok.LastUsed != nil || a.Name != "sue" || a.Epoch != sue.Epoch {
			t.Errorf("token %+v of %+v", tok.Token, a.Account)
		}
		must(t, s.TouchToken(ctx, "one"))
		tok, _, err = s.Token(ctx, "one")
		must(t, err)
		if tok.LastUsed == nil || time.Since(*tok.LastUsed).Abs() > time.Hour || tok.Hash != hash(1) || tok.Name != "wallboard" {
			t.Errorf("used token %+v, %v", tok.Token, tok.LastUsed)
		}
		first := *tok.LastUsed
		must(t, s.TouchToken(ctx, "one"))
		if tok, _, _ = s.Token(ctx, "one"); !tok.LastUsed.Equal(first) {
			t.Error("each use is written")
		}
		wants(t, s.TouchToken(ctx, "none"), state.ErrNotFound)

		if got := value(s.Tokens(ctx, "sue"))(t); len(got) != 1 || got[0].ID != "one" {
			t.Errorf("tokens %+v", got)
		}
		if got := value(s.Tokens(ctx, ""))(t); len(got) != 2 || got[1].ID != "two" {
			t.Errorf("tokens %+v", got)
		}
		wants(t, s.RemoveToken(ctx, "sue", "two"), state.ErrNotFound) // it is somebody else's
		must(t, s.RemoveToken(ctx, "sam", "two"))
		_, _, err = s.Token(ctx, "two")
		wants(t, err, state.ErrNotFound)

		// They go with the account, and do not come back with another of its name.
		must(t, s.RemoveAccount(ctx, "sue"))
		again := value(s.CreateAccount(ctx, account("sue", "1"), false))(t)
		_, _, err = s.Token(ctx, "one")
		wants(t, err, state.ErrNotFound)
		wants(t, s.AddToken(ctx, sue, wire.Token{ID: "late"}, hash(3)), state.ErrNotFound)
		must(t, s.Client().HSet(ctx, state.TokensKey, "stale", "sue "+sue.Birth+" "+hash(4)+" 0 {}").Err())
		_, _, err = s.Token(ctx, "stale")
		wants(t, err, state.ErrNotFound)

		soon, past := time.Now().Add(50*time.Millisecond), time.Now().Add(-time.Hour)
		must(t, s.AddToken(ctx, again, wire.Token{ID: "past", Expires: &past}, hash(5)))
		_, _, err = s.Token(ctx, "past")
		wants(t, err, state.ErrNotFound)
		must(t, s.AddToken(ctx, again, wire.Token{ID: "soon", Expires: &soon}, hash(6)))
		if !until(func() bool { _, _, err := s.Token(ctx, "soon"); return errors.Is(err, state.ErrNotFound) }) {
			t.Error("the token does not expire")
		}

		for n := range 100 {
			err = s.AddToken(ctx, again, wire.Token{ID: fmt.Sprint("many", n)}, hash(n))
			if err != nil {
				break
			}
		}
		wants(t, err, state.ErrFull)
		if n := len(value(s.Tokens(ctx, "sue"))(t)); n > 40 {
			t.Errorf("%d tokens of one account", n)
		}
		for _, bad := range []struct {
			tok  wire.Token
			hash string
		}{{wire.Token{}, hash(1)}, {wire.Token{ID: "a b"}, hash(1)}, {wire.Token{ID: "a"}, "x"}, {wire.Token{ID: "a", Name: "\n"}, hash(1)},
			{wire.Token{ID: "a", Name: strings.Repeat("x", 200)}, hash(1)}, {wire.Token{ID: "}"}, hash(1)}} {
			wants(t, s.AddToken(ctx, again, bad.tok, bad.hash), wire.ErrBadRequest)
		}
	})
}
