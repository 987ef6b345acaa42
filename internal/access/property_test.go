package access_test

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"livemon/internal/access"
	"livemon/internal/wire"
)

// Few names and patterns, so that they meet often.
var (
	names    = rapid.SampledFrom([]string{"a", "A", "ab", "b", "a@x", "a@y", "ab@x", "", "1", "12@x", "ü"})
	globs    = rapid.SampledFrom([]string{"*", "a", "A", "a*", "?", "??", "*@x", "a@x", "", "1*", "**b", "ü", "*?*"})
	accounts = rapid.SampledFrom([]string{"p", "q", "r"})
	teams    = rapid.SampledFrom([]string{"t", "u", "gone"})
	numbers  = rapid.SampledFrom([]string{"", "1", "12", "+1", "1 2", "2@x"})
)

func drawAccounts(t *rapid.T, least int) []wire.Account {
	return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) wire.Account {
		a := wire.Account{
			Name: accounts.Draw(t, "name"), Rank: rapid.IntRange(0, 2).Draw(t, "rank"), Rights: everything,
			Teams: rapid.SliceOfN(teams, 0, 2).Draw(t, "teams"), Agents: rapid.SliceOfN(globs, 0, 2).Draw(t, "agents"),
			Disabled: rapid.IntRange(0, 5).Draw(t, "disabled") == 0,
		}
		if rapid.Bool().Draw(t, "telephone") {
			a.Extension = names.Draw(t, "extension")
		}
		if rapid.IntRange(0, 2).Draw(t, "less") == 0 {
			a.Rights = rapid.SliceOfDistinct(rapid.SampledFrom(everything), func(a wire.Action) wire.Action { return a }).Draw(t, "rights")
		}
		return a
	}), least, 3, func(a wire.Account) string { return a.Name }).Draw(t, "accounts")
}

func drawTeams(t *rapid.T) []wire.Team {
	return rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) wire.Team {
		return wire.Team{
			Name: rapid.SampledFrom([]string{"t", "u"}).Draw(t, "team"), Agents: rapid.SliceOfN(globs, 0, 2).Draw(t, "agents"),
			Notice: wire.Notice{Kind: rapid.SampledFrom([]wire.NoticeKind{wire.NoticeNone, wire.NoticeAgent, wire.NoticeAll}).Draw(t, "kind"), Every: rapid.IntRange(0, 3).Draw(t, "every")},
		}
	}), 0, 2, func(x wire.Team) string { return x.Name }).Draw(t, "teams")
}

func drawNever(t *rapid.T) access.Never {
	if rapid.IntRange(0, 2).Draw(t, "never") > 0 {
		return access.Never{}
	}
	return access.Never{Agents: rapid.SliceOfN(globs, 0, 1).Draw(t, "never agents"), Numbers: rapid.SliceOfN(numbers, 0, 1).Draw(t, "never numbers")}
}

func drawActor(t *rapid.T) wire.Actor {
	return wire.Actor{Account: accounts.Draw(t, "actor")} // who need not exist
}

// spec is the rules once more, for accounts, as slowly and plainly as can be.
func spec(as []wire.Account, ts []wire.Team, n access.Never, name string, action wire.Action, agent wire.Agent, user string) bool {
	glob := func(p, s string) bool {
		if p == "" || s == "" {
			return false
		}
		p = regexp.QuoteMeta(strings.ToLower(p))
		p = strings.NewReplacer(`\*`, `(?s:.*)`, `\?`, `(?s:.)`).Replace(p)
		return regexp.MustCompile("^" + p + "$").MatchString(strings.ToLower(s))
	}
	called := func(p string) bool {
		return glob(p, agent.Agent) || glob(p, agent.Extension) ||
			glob(p, strings.SplitN(agent.Agent, "@", 2)[0]) || glob(p, strings.SplitN(agent.Extension, "@", 2)[0])
	}
	i := slices.IndexFunc(as, func(a wire.Account) bool { return a.Name == name })
	if i < 0 || as[i].Disabled || !as[i].Has(wire.ActionListen) || !as[i].Has(action) {
		return false
	}
	covered := slices.ContainsFunc(as[i].Agents, called)
	for _, t := range ts {
		covered = covered || slices.Contains(as[i].Teams, t.Name) && slices.ContainsFunc(t.Agents, called)
	}
	for _, o := range as {
		for _, x := range []string{agent.Agent, agent.Extension} {
			xu, xd, _ := strings.Cut(strings.ToLower(x), "@")
			ou, od, _ := strings.Cut(strings.ToLower(o.Extension), "@")
			if ou != "" && ou == xu && (od == xd || od == "" || xd == "") && o.Rank >= as[i].Rank {
				return false
			}
		}
	}
	clean := func(s string) string { return strings.ReplaceAll(s, " ", "") }
	for _, p := range n.Numbers {
		if glob(clean(p), clean(user)) || glob(clean(p), strings.SplitN(clean(user), "@", 2)[0]) {
			return false
		}
	}
	return covered && !slices.ContainsFunc(n.Agents, called)
}

// TestAgainstTheSpecification asks for everything that everybody could do to
// everybody in a world of any accounts, teams and marks.
func TestAgainstTheSpecification(t *testing.T) {
	worlds := 0 // in which somebody may do something
	rapid.Check(t, func(t *rapid.T) {
		as, ts, n := drawAccounts(t, 1), drawTeams(t), drawNever(t)
		r := access.Compile(as, ts, access.Config{Never: n})
		extension, user, allowed := names.Draw(t, "extension"), numbers.Draw(t, "user"), 0
		for _, name := range []string{"a", "A", "ab", "b", "a@x", "a@y", "", "1", "12@x", "ü"} {
			who := agent(name, extension)
			for _, account := range []string{"p", "q", "r"} {
				actor := wire.Actor{Account: account}
				see := r.See(actor, who)
				for _, action := range everything {
					err := r.May(actor, action, who, access.Call{User: user})
					if want := spec(as, ts, n, account, action, who, user); (err == nil) != want {
						t.Fatalf("%s, %s of %+v: got %v, want %v", account, action, who, err, want)
					}
					if err == nil {
						allowed++
					}
					hidden := false
					switch access.RuleOf(err) {
					case access.RuleUnseen, access.RuleRank, access.RuleAccount:
						hidden = true
					}
					if see == hidden {
						t.Fatalf("%s sees %+v: %v, though %s gives %v", account, who, see, action, err)
					}
				}
			}
		}
		if allowed > 0 {
			worlds++
		}
	})
	if !t.Failed() && worlds == 0 {
		t.Error("nothing was ever allowed: this has tested nothing")
	}
	t.Logf("somebody may do something in %d worlds", worlds)
}

// TestLessIsNeverMore takes something away: nothing that was refused becomes allowed.
func TestLessIsNeverMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		as, ts, n := drawAccounts(t, 1), drawTeams(t), drawNever(t)
		before := access.Compile(as, ts, access.Config{Never: n})
		less := slices.Clone(as)
		i := rapid.IntRange(0, len(as)-1).Draw(t, "whose")
		actor, who := drawActor(t), agent(names.Draw(t, "agent"), names.Draw(t, "extension"))
		switch change := rapid.IntRange(0, 6).Draw(t, "change"); change {
		case 0:
			less[i].Rights = nil
		case 1:
			less[i].Agents = nil
		case 2:
			less[i].Teams = nil
		case 3:
			less[i].Disabled = true
		case 4:
			ts = nil
		case 5:
			n.Agents = append(slices.Clone(n.Agents), globs.Draw(t, "never"))
		case 6:
			if less[i].Name == actor.Account {
				less[i].Rank = 0
			} else {
				less[i].Rank = 3
			}
		}
		after := access.Compile(less, ts, access.Config{Never: n})
		for _, action := range everything {
			if before.May(actor, action, who, access.Call{}) != nil && after.May(actor, action, who, access.Call{}) == nil {
				t.Fatalf("%s became allowed", action)
			}
		}
	})
}

// TestNoticeIsAtLeastEachTeams holds the notice against every team's.
func TestNoticeIsAtLeastEachTeams(t *testing.T) {
	order := []wire.NoticeKind{wire.NoticeNone, wire.NoticeAgent, wire.NoticeAll}
	rapid.Check(t, func(t *rapid.T) {
		ts := drawTeams(t)
		r := access.Compile(nil, ts, access.Config{})
		who := agent(names.Draw(t, "agent"), "")
		got, in := r.Notice(who), r.TeamsOf(who)
		for _, x := range ts {
			if !slices.Contains(in, x.Name) {
				continue
			}
			if slices.Index(order, got.Kind) < slices.Index(order, x.Notice.Kind) {
				t.Fatalf("%+v is less than %+v", got, x.Notice)
			}
			if x.Notice.Kind != wire.NoticeNone && x.Notice.Every > 0 && (got.Every == 0 || got.Every > x.Notice.Every) {
				t.Fatalf("%+v is less often than %+v", got, x.Notice)
			}
		}
		if len(in) == 0 && got.Kind != wire.NoticeNone {
			t.Fatalf("%+v for whoever is in no team", got)
		}
	})
}

func FuzzMatch(f *testing.F) {
	for _, s := range [][2]string{{"*", ""}, {"a*b*c", "aXbXc"}, {"?", "ü"}, {"", ""}, {"**?", "\xff"}, {strings.Repeat("*a", 50), strings.Repeat("a", 200)}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, text string) {
		if len(pattern) > 200 || len(text) > 1000 {
			return
		}
		if !access.Match("*", text) || !access.Match("*"+pattern+"*", text) && access.Match(pattern, text) {
			t.Errorf("%q, %q", pattern, text)
		}
		if !strings.ContainsAny(pattern, "*?") && access.Match(pattern, text) != (asciiLower(pattern) == asciiLower(text)) {
			t.Errorf("%q against %q", pattern, text)
		}
		if !strings.ContainsAny(text, "*?") && !access.Match(text, text) {
			t.Errorf("%q does not match itself", text)
		}
		if m := access.Mask(text); strings.Count(m, "") != strings.Count(text, "") {
			t.Errorf("%q is masked as %q", text, m)
		}
	})
}

func asciiLower(s string) string {
	for c := 'A'; c <= 'Z'; c++ {
		s = strings.ReplaceAll(s, string(c), string(c+'a'-'A'))
	}
	return s
}
