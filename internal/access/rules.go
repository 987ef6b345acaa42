package access

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"livemon/internal/wire"
)

// Config is what does not change while livemon runs.
type Config struct {
	Never Never
	// OperatorListens lets the operator's token listen although there are accounts.
	OperatorListens bool
}

// Rules are what is decided from. They do not change, and are safe for
// concurrent use.
type Rules struct {
	accounts        map[string]*account
	owners          map[string][]owner // by the extension's folded user part
	teams           []team
	never           never
	operatorListens bool
}

type account struct {
	wire.Account
	agents patterns // its own and its teams'

	// What unseen found, by name and extension: lists of agents are looked at for
	// every reader at every change, and the answer is the same as long as the rules are.
	mu    sync.RWMutex
	found map[[2]string]Rule
}

const maxFound = 10000 // agents whose answer is kept for each account

// owner is an account as the owner of an extension.
type owner struct {
	domain string // folded; "" is any
	rank   int
}

type team struct {
	name   string
	agents patterns
	notice wire.Notice
}

// Compile makes rules of accounts and teams. Teams that an account names and
// that do not exist give it nothing. Of two accounts or teams of one name the
// last counts.
func Compile(accounts []wire.Account, teams []wire.Team, c Config) *Rules {
	r := &Rules{
		accounts: make(map[string]*account, len(accounts)), owners: map[string][]owner{},
		never: newNever(c.Never), operatorListens: c.OperatorListens,
	}
	byName := map[string]patterns{}
	for _, t := range teams {
		ps := newPatterns(t.Agents)
		r.teams = append(r.teams, team{name: t.Name, agents: ps, notice: t.Notice})
		byName[t.Name] = ps
	}
	for _, a := range accounts {
		ps := newPatterns(a.Agents)
		for _, t := range a.Teams {
			ps = append(ps, byName[t]...)
		}
		r.accounts[a.Name] = &account{Account: a, agents: ps}
		if user, domain := split(a.Extension); user != "" {
			r.owners[user] = append(r.owners[user], owner{domain: domain, rank: a.Rank})
		}
	}
	return r
}

func split(extension string) (user, domain string) {
	user, domain, _ = strings.Cut(fold(extension), "@")
	return user, domain
}

// Empty tells whether there is no account at all.
func (r *Rules) Empty() bool { return len(r.accounts) == 0 }

// Account returns the account of a name.
func (r *Rules) Account(name string) (wire.Account, bool) {
	if a, ok := r.accounts[name]; ok {
		return a.Account, true
	}
	return wire.Account{}, false
}

// open tells whether an actor is the one to whom everything is allowed while
// there are no accounts. One that names an account, which must have been
// removed, is not.
func (r *Rules) open(actor wire.Actor) bool {
	return r.Empty() && (actor.Operator || actor.Account == "")
}

// who returns the account that asks, or why it may nothing.
func (r *Rules) who(actor wire.Actor) (*account, error) {
	a, ok := r.accounts[actor.Account]
	if !ok || a.Disabled || actor.Account == "" {
		return nil, refuse(RuleAccount)
	}
	return a, nil
}

// unseen says why an account does not see an agent, nil if it does.
func (r *Rules) unseen(a *account, agent wire.Agent) error {
	key := [2]string{agent.Agent, agent.Extension}
	a.mu.RLock()
	rule, known := a.found[key]
	a.mu.RUnlock()
	if !known {
		rule = r.look(a, agent)
		a.mu.Lock()
		if a.found == nil || len(a.found) >= maxFound {
			a.found = map[[2]string]Rule{}
		}
		a.found[key] = rule
		a.mu.Unlock()
	}
	if rule == "" {
		return nil
	}
	return refuse(rule)
}

// look is unseen, for the first time.
func (r *Rules) look(a *account, agent wire.Agent) Rule {
	if _, covered := a.agents.find(namesOf(agent)); !covered {
		return RuleUnseen
	}
	if r.outranks(agent, a) {
		return RuleRank
	}
	return ""
}

// outranks tells whether an agent's extension is that of an account of the rank
// of another, or of a higher one.
func (r *Rules) outranks(agent wire.Agent, a *account) bool {
	for _, name := range []string{agent.Agent, agent.Extension} {
		user, domain := split(name)
		for _, o := range r.owners[user] {
			if (o.domain == "" || domain == "" || o.domain == domain) && o.rank >= a.Rank {
				return true
			}
		}
	}
	return false
}

// See tells whether an actor may know of an agent at all.
func (r *Rules) See(actor wire.Actor, agent wire.Agent) bool {
	if actor.Operator || r.open(actor) {
		return true
	}
	a, err := r.who(actor)
	return err == nil && r.unseen(a, agent) == nil
}

// May tells whether an actor may do something to an agent's call: nil, or a
// *Refusal.
func (r *Rules) May(actor wire.Actor, action wire.Action, agent wire.Agent, c Call) error {
	if !slices.Contains(wire.Actions(), action) {
		return refuse(RuleAction)
	}
	switch {
	case r.open(actor), actor.Operator && r.operatorListens:
		return r.never.check(agent, c)
	case actor.Operator:
		return refuse(RuleOperator)
	}
	a, err := r.who(actor)
	if err != nil {
		return err
	}
	if err := r.unseen(a, agent); err != nil {
		return err
	}
	if !a.Has(wire.ActionListen) {
		return refuse(RuleListen)
	}
	for _, other := range c.Others {
		if r.outranks(other, a) {
			return refuse(RuleOther)
		}
	}
	if err := r.never.check(agent, c); err != nil {
		return err
	}
	if !a.Has(action) {
		return refuseRole(action)
	}
	return nil
}

// View returns an agent as an actor may see him, and whether he may at all. The
// user's number is masked for accounts that may not see numbers, and for all
// accounts if nobody may listen to calls with it.
func (r *Rules) View(actor wire.Actor, agent wire.Agent) (wire.Agent, bool) {
	if !r.See(actor, agent) {
		return wire.Agent{}, false
	}
	if !actor.Operator && !r.open(actor) {
		if a := r.accounts[actor.Account]; !a.Numbers || r.never.number(agent.User) {
			agent.User = Mask(agent.User)
		}
	}
	return agent, true
}

// Mask hides a telephone number but for its last three characters, or all of a
// short one.
func Mask(number string) string {
	n, shown := utf8.RuneCountInString(number), 0
	if n >= 7 {
		shown = 3
	}
	runes := []rune(number)
	return strings.Repeat("*", n-shown) + string(runes[n-shown:])
}
