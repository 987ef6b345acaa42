package state_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"livemon/internal/fault"
	"livemon/internal/wire"
	"livemon/state"
)

func account(name, extension string) state.Account {
	return state.Account{Account: wire.Account{Name: name, FullName: "Somebody Ü", Extension: extension, Rank: 50,
		Rights: []wire.Action{wire.ActionListen, wire.ActionCoach}, Teams: []string{"support"}, Agents: []string{"10*"}},
		PasswordHash: "hash of a password", PINHash: "hash of a PIN"}
}

func TestAccounts(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		_, err := s.Account(ctx, "sue")
		wants(t, err, state.ErrNotFound)
		wants(t, s.RemoveAccount(ctx, "sue"), wire.ErrNotFound)

		made := value(s.CreateAccount(ctx, account("sue", "1050@PBX"), false))(t)
		if made.Version == "" || made.Birth == "" || made.Epoch == "" || made.Created.IsZero() || !made.Password || !made.PIN {
			t.Errorf("made %#v", made.Account)
		}
		same := func(what string, got, want state.Account) {
			t.Helper()
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%s: got %+v %s, want %+v %s", what, got.Account, got.PasswordHash, want.Account, want.PasswordHash)
			}
		}
		same("by name", value(s.Account(ctx, "sue"))(t), made)
		for _, x := range []string{"1050@pbx", "1050@PBX"} {
			same("by "+x, value(s.AccountByExtension(ctx, x))(t), made)
		}
		for _, x := range []string{"1050", "1050@other", "sue", "*"} {
			if _, err := s.AccountByExtension(ctx, x); !errors.Is(err, state.ErrNotFound) {
				t.Errorf("extension %q: %v", x, err)
			}
		}
		_, err = s.CreateAccount(ctx, account("sue", ""), false)
		wants(t, err, state.ErrExists)
		_, err = s.CreateAccount(ctx, account("sam", "1050@pbx"), false)
		wants(t, err, state.ErrExtensionTaken)
		sam := value(s.CreateAccount(ctx, account("sam", "1051"), false))(t)
		same("user@domain of an extension without domain", value(s.AccountByExtension(ctx, "1051@anywhere"))(t), sam)

		// Changed by somebody else in between.
		one, two := made, made
		one.Extension, two.Rank = "1060", 1
		changed := value(s.UpdateAccount(ctx, one))(t)
		_, err = s.UpdateAccount(ctx, two)
		wants(t, err, state.ErrChanged)
		same("changed", value(s.AccountByExtension(ctx, "1060@pbx"))(t), changed)
		if changed.Birth != made.Birth || changed.Epoch != made.Epoch || changed.Version == made.Version {
			t.Errorf("changed %s %s %s", changed.Birth, changed.Epoch, changed.Version)
		}
		_, err = s.AccountByExtension(ctx, "1050@pbx")
		wants(t, err, state.ErrNotFound)
		taken := sam
		taken.Extension = "1060"
		_, err = s.UpdateAccount(ctx, taken)
		wants(t, err, state.ErrExtensionTaken)

		// The same password under another hash.
		must(t, s.ReplaceHashes(ctx, changed, "newer", changed.PINHash))
		wants(t, s.ReplaceHashes(ctx, changed, "newest", changed.PINHash), state.ErrChanged)
		if got := value(s.Account(ctx, "sue"))(t); got.PasswordHash != "newer" || got.Version != changed.Version || got.Epoch != changed.Epoch {
			t.Errorf("replaced hash: %s, version %s", got.PasswordHash, got.Version)
		}

		must(t, s.RemoveAccount(ctx, "sue"))
		_, err = s.AccountByExtension(ctx, "1060")
		wants(t, err, state.ErrNotFound)
		_, err = s.UpdateAccount(ctx, changed)
		wants(t, err, state.ErrNotFound)
		again := value(s.CreateAccount(ctx, account("sue", "1060"), false))(t)
		if again.Birth == made.Birth || again.Epoch == made.Epoch {
			t.Error("another account of the same name passes for the first")
		}
		got, _, err := s.Rights(ctx, state.Rights{})
		must(t, err)
		if len(got.Accounts) != 2 || !reflect.DeepEqual(got.Accounts[0], value(s.Account(ctx, "sam"))(t).Account) || got.Accounts[1].Name != "sue" {
			t.Errorf("accounts %+v", got.Accounts)
		}
	})
}

func TestFirstAccount(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		var wg sync.WaitGroup
		errs := make([]error, 10)
		for i := range errs {
			wg.Go(func() { _, errs[i] = s.CreateAccount(ctx, account(fmt.Sprint("admin", i), ""), true) })
		}
		wg.Wait()
		made := 0
		for _, err := range errs {
			if err == nil {
				made++
			} else {
				wants(t, err, state.ErrNotFirst)
			}
		}
		if made != 1 {
			t.Errorf("%d first accounts", made)
		}
	})
}

func TestRefusedAccounts(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		var list []state.Account
		for _, name := range append(hostile, "", "operator", "Sue", "-x", ".", "a/b", "a@b", "é", strings.Repeat("a", 65)) {
			if name != "anna" {
				list = append(list, account(name, ""))
			}
		}
		for _, x := range append(hostile, "1 2", "@", "@x", "1@", "1@x@y", strings.Repeat("1", 65)) {
			if x != "anna" && x != "*" && x != "a+b" {
				list = append(list, account("sue", x))
			}
		}
		bad := func(f func(a *wire.Account)) {
			a := account("sue", "")
			f(&a.Account)
			list = append(list, a)
		}
		bad(func(a *wire.Account) { a.Rank = -1 })
		bad(func(a *wire.Account) { a.Rank = 101 })
		bad(func(a *wire.Account) { a.Rights = []wire.Action{"all"} })
		bad(func(a *wire.Account) { a.Rights = []wire.Action{wire.ActionListen, wire.ActionListen} })
		bad(func(a *wire.Account) { a.Teams = []string{" x"} })
		bad(func(a *wire.Account) { a.Teams = make([]string, 65) })
		bad(func(a *wire.Account) { a.Agents = []string{""} })
		bad(func(a *wire.Account) { a.Agents = []string{"a\nb"} })
		bad(func(a *wire.Account) { a.Agents = make([]string, 200) })
		bad(func(a *wire.Account) { a.FullName = "\u202eevil" })
		bad(func(a *wire.Account) { a.FullName = strings.Repeat("x", 257) })
		for _, a := range list {
			if _, err := s.CreateAccount(ctx, a, false); !errors.Is(err, wire.ErrBadRequest) {
				t.Errorf("%.80q, extension %.80q: %v", a.Name, a.Extension, err)
			}
		}
		for _, team := range []wire.Team{
			{}, {Name: "x"}, {Name: "x", Notice: wire.Notice{Kind: "shout"}}, {Name: "x", Notice: wire.Notice{Kind: wire.NoticeNone, Every: 5}},
			{Name: "x", Notice: wire.Notice{Kind: wire.NoticeAll, Every: 1}}, {Name: "x", Notice: wire.Notice{Kind: wire.NoticeAll, Every: -1}},
			{Name: " x", Notice: wire.Notice{Kind: wire.NoticeNone}}, {Name: "x\x00", Notice: wire.Notice{Kind: wire.NoticeNone}},
			{Name: "x", Notice: wire.Notice{Kind: wire.NoticeNone}, Agents: []string{strings.Repeat("x", 129)}},
		} {
			wants(t, s.PutTeam(ctx, team, ""), wire.ErrBadRequest)
		}
		got, _, err := s.Rights(ctx, state.Rights{})
		must(t, err)
		if len(got.Accounts)+len(got.Teams) != 0 {
			t.Errorf("stored: %+v", got)
		}
		// Whatever is asked for by a hostile name is not there, and nothing worse.
		for _, name := range hostile {
			_, err := s.Account(ctx, name)
			wants(t, err, state.ErrNotFound)
			_, err = s.AccountByExtension(ctx, name)
			wants(t, err, state.ErrNotFound)
			wants(t, s.RemoveAccount(ctx, name), state.ErrNotFound)
			_, _, err = s.Team(ctx, name)
			wants(t, err, state.ErrNotFound)
			wants(t, s.RemoveTeam(ctx, name), state.ErrNotFound)
			_, _, err = s.Token(ctx, name)
			wants(t, err, state.ErrNotFound)
			wants(t, s.RemoveToken(ctx, name, name), state.ErrNotFound)
			_, _, err = s.Login(ctx, name)
			wants(t, err, state.ErrNotFound)
			_, err = s.EndLogin(ctx, name)
			wants(t, err, state.ErrNotFound)
		}
	})
}

func TestTeams(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		x := wire.Team{Name: "Kundendienst – Süd", Agents: []string{"10*"}, Notice: wire.Notice{Kind: wire.NoticeAll, Every: 30}}
		must(t, s.PutTeam(ctx, x, ""))
		wants(t, s.PutTeam(ctx, x, ""), state.ErrExists)
		got, version, err := s.Team(ctx, x.Name)
		must(t, err)
		if !reflect.DeepEqual(got, x) {
			t.Errorf("got %+v", got)
		}
		x.Agents = nil
		must(t, s.PutTeam(ctx, x, version))
		wants(t, s.PutTeam(ctx, x, version), state.ErrChanged)
		rights, changed, err := s.Rights(ctx, state.Rights{})
		must(t, err)
		x.Agents = []string{}
		if !changed || !reflect.DeepEqual(rights.Teams, []wire.Team{x}) {
			t.Errorf("rights %+v", rights)
		}
		must(t, s.RemoveTeam(ctx, x.Name))
		wants(t, s.RemoveTeam(ctx, x.Name), state.ErrNotFound)
		wants(t, s.PutTeam(ctx, x, version), state.ErrNotFound)
	})
}

// TestRightsAreAnnounced makes every kind of change with one store and waits for
// it with another.
func TestRightsAreAnnounced(t *testing.T) {
	each(t, func(t *testing.T, s *state.Store) {
		ctx := context.Background()
		other := s
		if !s.Embedded() {
			var err error
			other, err = state.Open(ctx, all.url(t, strings.Split(t.Name(), "/")[1]), state.Options{OpTimeout: patience, IOTimeout: patience})
			must(t, err)
			defer func() { must(t, other.Close()) }()
		}
		rights, _, err := other.Rights(ctx, state.Rights{})
		must(t, err)
		if changed := value(other.AwaitRights(ctx, rights, 20*time.Millisecond))(t); changed {
			t.Error("changed without a change")
		}
		var sue state.Account
		hash := strings.Repeat("0", 64)
		for _, c := range []struct {
			name   string
			rights bool // whether accounts or teams are others afterwards
			do     func() error
		}{
			{"create", true, func() (err error) { sue, err = s.CreateAccount(ctx, account("sue", "1"), true); return }},
			{"update", true, func() (err error) { sue.Rank = 7; sue, err = s.UpdateAccount(ctx, sue); return }},
			{"team", true, func() error {
				return s.PutTeam(ctx, wire.Team{Name: "t", Notice: wire.Notice{Kind: wire.NoticeNone}}, "")
			}},
			{"remove team", true, func() error { return s.RemoveTeam(ctx, "t") }},
			{"remove token", false, func() error {
				return errors.Join(s.AddToken(ctx, sue, wire.Token{ID: "a"}, hash), s.RemoveToken(ctx, "sue", "a"))
			}},
			{"end login", false, func() error {
				err := s.AddLogin(ctx, sue, hash, "", time.Minute, time.Minute)
				_, err2 := s.EndLogin(ctx, hash)
				return errors.Join(err, err2)
			}},
			{"remove", true, func() error { return s.RemoveAccount(ctx, "sue") }},
		} {
			done := make(chan error, 1)
			go func() {
				changed, err := other.AwaitRights(ctx, rights, patience)
				if err == nil && !changed {
					err = errors.New("it was not announced")
				}
				done <- err
			}()
			must(t, c.do())
			if err := <-done; err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			after, changed, err := other.Rights(ctx, rights)
			must(t, err)
			if changed != c.rights {
				t.Errorf("%s: changed %v", c.name, changed)
			}
			rights = after
		}
		if n := value(s.Client().XLen(ctx, state.RightsLogKey).Result())(t); n != 7 {
			t.Errorf("%d changes announced", n)
		}
		_, err = s.AwaitRights(ctx, state.Rights{}, time.Second)
		wants(t, err, wire.ErrBadRequest)
	})
}

// TestIndexOfExtensions makes any changes and holds the index against the accounts.
func TestIndexOfExtensions(t *testing.T) {
	s := open(t, "embedded")
	ctx := context.Background()
	rapid.Check(t, func(rt *rapid.T) {
		flush(t, s)
		name := rapid.SampledFrom([]string{"a", "b", "c"})
		ext := rapid.SampledFrom([]string{"", "1", "1@x", "1@X", "2", "2@x"})
		model := map[string]string{} // name -> extension
		owner := func(x string) string {
			for n, e := range model {
				if e != "" && strings.EqualFold(e, x) {
					return n
				}
			}
			return ""
		}
		for range rapid.IntRange(1, 12).Draw(rt, "changes") {
			n, x := name.Draw(rt, "name"), ext.Draw(rt, "extension")
			_, there := model[n]
			var err, want error
			switch rapid.IntRange(0, 2).Draw(rt, "change") {
			case 0:
				_, err = s.CreateAccount(ctx, account(n, x), false)
				if there {
					want = state.ErrExists
				} else if owner(x) != "" {
					want = state.ErrExtensionTaken
				} else {
					model[n] = x
				}
			case 1:
				a, rerr := s.Account(ctx, n)
				if rerr != nil {
					continue
				}
				a.Extension = x
				_, err = s.UpdateAccount(ctx, a)
				if o := owner(x); o != "" && o != n {
					want = state.ErrExtensionTaken
				} else {
					model[n] = x
				}
			case 2:
				err = s.RemoveAccount(ctx, n)
				if !there {
					want = state.ErrNotFound
				}
				delete(model, n)
			}
			if !errors.Is(err, want) {
				rt.Fatalf("got %v, want %v", err, want)
			}
			for _, x := range []string{"1", "1@x", "2", "2@x", "2@y"} {
				want := owner(x)
				if user, _, cut := strings.Cut(x, "@"); want == "" && cut {
					want = owner(user)
				}
				a, err := s.AccountByExtension(ctx, x)
				if a.Name != want || (err == nil) != (want != "") {
					rt.Fatalf("extension %s is %q's (%v), want %q", x, a.Name, err, want)
				}
			}
		}
	})
}

// TestDamagedRights plants what this package would not write. Nothing is
// understood as something else, and least of all as no accounts at all.
func TestDamagedRights(t *testing.T) {
	junk := []string{"", "null", "{}", "v b", "v b ", "v b null", "v b []", "v b {", "v {}", "v b {\"rank\":1e9}", "v b {\"rights\":[\"all\"]}",
		"v b {\"agents\":[\"\"]}", "v b {\"rank\":\"x\"}", "\x00 b {}", "v b {\"teams\":[\"\\u0000\"]}", strings.Repeat("x ", 50000), "v b " + strings.Repeat("[", 70000)}
	each(t, func(t *testing.T, s *state.Store) {
		ctx, c := context.Background(), s.Client()
		var corrupt *state.CorruptError
		for _, v := range junk {
			flush(t, s)
			value(s.CreateAccount(ctx, account("good", "1"), true))(t)
			must(t, c.HSet(ctx, state.AccountsKey, "bad", v).Err())
			if r, _, err := s.Rights(ctx, state.Rights{}); !errors.As(err, &corrupt) || corrupt.Field != "bad" {
				t.Errorf("with account %.40q: %+v, %v", v, r, err)
			}
			if _, err := s.Account(ctx, "bad"); !errors.As(err, &corrupt) {
				t.Errorf("account %.40q: %v", v, err)
			}
			must(t, s.RemoveAccount(ctx, "bad"))
			must(t, c.HSet(ctx, state.TeamsKey, "bad", v).Err())
			if r, _, err := s.Rights(ctx, state.Rights{}); !errors.As(err, &corrupt) || corrupt.Field != "bad" {
				t.Errorf("with team %.40q: %+v, %v", v, r, err)
			}
			if _, _, err := s.Team(ctx, "bad"); !errors.As(err, &corrupt) {
				t.Errorf("team %.40q: %v", v, err)
			}
			must(t, s.RemoveTeam(ctx, "bad"))
			if r, _, err := s.Rights(ctx, state.Rights{}); err != nil || len(r.Accounts) != 1 {
				t.Errorf("it does not heal: %+v, %v", r, err)
			}
			must(t, c.HSet(ctx, state.SecretsKey, "good", v).Err())
			if v != "v {}" {
				if _, err := s.Account(ctx, "good"); !errors.As(err, &corrupt) {
					t.Errorf("secrets %.40q: %v", v, err)
				}
			}
			must(t, c.HSet(ctx, state.TokensKey, "bad", v).Err())
			must(t, c.HSet(ctx, state.LoginsKey, "bad", v).Err())
			if list, err := s.Tokens(ctx, ""); err != nil || len(list) != 0 {
				t.Errorf("tokens with %.40q: %v, %v", v, list, err)
			}
			if _, _, err := s.Token(ctx, "bad"); err == nil {
				t.Errorf("token %.40q is one", v)
			}
			if _, _, err := s.Login(ctx, "bad"); err == nil {
				t.Errorf("login %.40q is one", v)
			}
		}
		// The index names somebody whose extension it is not.
		must(t, c.HSet(ctx, state.AccountExtsKey, "77", "nobody").Err())
		_, err := s.AccountByExtension(ctx, "77")
		wants(t, err, state.ErrNotFound)
	})
}

// TestNothingSecretIsPrinted prints accounts and tokens in every way.
func TestNothingSecretIsPrinted(t *testing.T) {
	a := account("sue", "1")
	tok := state.StoredToken{Token: wire.Token{ID: "id"}, Hash: "hash of a token"}
	var b strings.Builder
	log := slog.New(slog.NewJSONHandler(&b, nil))
	log.Info("x", "account", a, "pointer", &a, "token", tok)
	j := value(json.Marshal([]any{a, tok}))(t)
	text := fmt.Sprintf("%v %+v %#v %s %q %v %+v %#v %x", a, a, a, a, &a, tok, tok, tok, tok) + b.String() + string(j)
	if strings.Contains(text, "hash of") || !strings.Contains(text, "sue") {
		t.Error(text)
	}
}

// TestCrashOfAccountChanges cuts each change short after every number of
// commands, done or not: it is there as a whole or not at all, and can be made again.
func TestCrashOfAccountChanges(t *testing.T) {
	ctx := context.Background()
	for _, name := range []string{"embedded", "redis"} {
		url := all.url(t, name)
		for _, lost := range []bool{false, true} {
			for after := range int64(3) {
				s := open(t, url)
				sue := value(s.CreateAccount(ctx, account("sue", "1"), true))(t)
				hook := &crash{lost: lost}
				hook.left.Store(after)
				s.Client().AddHook(hook)
				changed := sue
				changed.Extension, changed.Epoch, changed.PasswordHash = "2", "E2", "other"
				_, err := s.UpdateAccount(ctx, changed)
				hook.off.Store(true)
				if err != nil {
					wantsCode(t, err, fault.StoreUnavailable)
				}
				got := value(s.Account(ctx, "sue"))(t)
				old, oldErr := s.AccountByExtension(ctx, "1")
				latest, latestErr := s.AccountByExtension(ctx, "2")
				switch {
				case got.Extension == "1" && got.Epoch == sue.Epoch && got.PasswordHash == sue.PasswordHash && oldErr == nil && old.Name == "sue" && errors.Is(latestErr, state.ErrNotFound):
				case got.Extension == "2" && got.Epoch == "E2" && got.PasswordHash == "other" && latestErr == nil && latest.Name == "sue" && errors.Is(oldErr, state.ErrNotFound):
				default:
					t.Errorf("%s, after %d, lost %v: half a change: %+v, %v, %v", name, after, lost, got.Account, oldErr, latestErr)
				}
				got.Extension = "3"
				value(s.UpdateAccount(ctx, got))(t)
			}
		}
	}
}

func rightsOperations(s *state.Store, a state.Account) map[string]func(context.Context) error {
	hash := strings.Repeat("1", 64)
	return map[string]func(context.Context) error{
		"CreateAccount":      func(ctx context.Context) error { _, err := s.CreateAccount(ctx, account("new", ""), false); return err },
		"UpdateAccount":      func(ctx context.Context) error { _, err := s.UpdateAccount(ctx, a); return err },
		"ReplaceHashes":      func(ctx context.Context) error { return s.ReplaceHashes(ctx, a, "x", "y") },
		"RemoveAccount":      func(ctx context.Context) error { return s.RemoveAccount(ctx, "new") },
		"Account":            func(ctx context.Context) error { _, err := s.Account(ctx, a.Name); return err },
		"AccountByExtension": func(ctx context.Context) error { _, err := s.AccountByExtension(ctx, a.Extension); return err },
		"Rights":             func(ctx context.Context) error { _, _, err := s.Rights(ctx, state.Rights{}); return err },
		"PutTeam": func(ctx context.Context) error {
			return s.PutTeam(ctx, wire.Team{Name: "t", Notice: wire.Notice{Kind: wire.NoticeNone}}, "")
		},
		"RemoveTeam":  func(ctx context.Context) error { return s.RemoveTeam(ctx, "t") },
		"Team":        func(ctx context.Context) error { _, _, err := s.Team(ctx, "there"); return err },
		"AddToken":    func(ctx context.Context) error { return s.AddToken(ctx, a, wire.Token{ID: "n"}, hash) },
		"Token":       func(ctx context.Context) error { _, _, err := s.Token(ctx, "there"); return err },
		"TouchToken":  func(ctx context.Context) error { return s.TouchToken(ctx, "there") },
		"RemoveToken": func(ctx context.Context) error { return s.RemoveToken(ctx, "", "there") },
		"Tokens":      func(ctx context.Context) error { _, err := s.Tokens(ctx, ""); return err },
		"AddLogin":    func(ctx context.Context) error { return s.AddLogin(ctx, a, hash, "", time.Hour, time.Hour) },
		"Login":       func(ctx context.Context) error { _, _, err := s.Login(ctx, strings.Repeat("0", 64)); return err },
		"EndLogin":    func(ctx context.Context) error { _, err := s.EndLogin(ctx, strings.Repeat("0", 64)); return err },
		"TryAttempt": func(ctx context.Context) error {
			_, err := s.TryAttempt(ctx, state.AttemptPIN, "x", "y", state.Limits{})
			return err
		},
		"AttemptSucceeded": func(ctx context.Context) error { return s.AttemptSucceeded(ctx, state.AttemptPIN, "x", "y") },
		"Unlock":           func(ctx context.Context) error { return s.Unlock(ctx, "x") },
		"UnlockOrigin":     func(ctx context.Context) error { return s.UnlockOrigin(ctx, "x") },
		"Locked":           func(ctx context.Context) error { _, _, err := s.Locked(ctx, "x"); return err },
	}
}

// seedRights stores one of everything.
func seedRights(t *testing.T, s *state.Store) state.Account {
	t.Helper()
	ctx := context.Background()
	a := value(s.CreateAccount(ctx, account("sue", "1050"), true))(t)
	must(t, s.PutTeam(ctx, wire.Team{Name: "there", Notice: wire.Notice{Kind: wire.NoticeNone}}, ""))
	must(t, s.AddToken(ctx, a, wire.Token{ID: "there"}, strings.Repeat("0", 64)))
	must(t, s.AddLogin(ctx, a, strings.Repeat("0", 64), "", time.Hour, time.Hour))
	return a
}

func TestRightsWhileTheServerIsAway(t *testing.T) {
	ctx := context.Background()
	v, s := ownServer(t)
	a := seedRights(t, s)
	rights, _, err := s.Rights(ctx, state.Rights{})
	must(t, err)

	must(t, v.client.Do(ctx, "replicaof", "127.0.0.1", "1").Err())
	must(t, v.client.ConfigSet(ctx, "replica-serve-stale-data", "yes").Err())
	for name, op := range rightsOperations(s, a) {
		switch name {
		case "CreateAccount", "UpdateAccount", "PutTeam", "AddToken", "AddLogin", "TryAttempt", "ReplaceHashes":
			if err := op(ctx); fault.Of(err) != fault.StoreUnavailable {
				t.Errorf("%s on a replica: %v", name, err)
			}
		}
	}
	must(t, v.client.Do(ctx, "replicaof", "no", "one").Err())

	v.stop()
	for name, op := range rightsOperations(s, a) {
		if err := op(ctx); fault.Of(err) != fault.StoreUnavailable {
			t.Errorf("%s while Redis is down: %v", name, err)
		}
	}
	_, err = s.AwaitRights(ctx, rights, time.Second)
	wantsCode(t, err, fault.StoreUnavailable)
	must(t, v.start())
	if !until(func() bool { return s.Ping(ctx) == nil }) {
		t.Fatal("the store does not come back")
	}
	after, changed, err := s.Rights(ctx, rights)
	must(t, err)
	if changed || len(after.Accounts) != 1 {
		t.Errorf("after a restart: %+v, %v", after, changed)
	}
	if l, _, err := s.Login(ctx, strings.Repeat("0", 64)); err != nil || l.Account != "sue" {
		t.Errorf("the login after a restart: %+v, %v", l, err)
	}
	ops := rightsOperations(s, a)
	for _, name := range []string{"Account", "AccountByExtension", "Rights", "Team", "Token", "TouchToken", "Tokens", "TryAttempt", "Locked"} {
		if err := ops[name](ctx); err != nil {
			t.Errorf("%s when Redis is back: %v", name, err)
		}
	}
	cancelled, cancel := context.WithCancel(ctx)
	cancel()
	for name, op := range rightsOperations(s, a) {
		if err := op(cancelled); !errors.Is(err, context.Canceled) || fault.Of(err) != 0 {
			t.Errorf("%s, cancelled: %v", name, err)
		}
	}
}
