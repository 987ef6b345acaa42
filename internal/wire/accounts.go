package wire

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Errors of Accounts that carry no fault code. They are wrapped with what was
// asked for and what to do.
var (
	ErrDenied    = errors.New("the name or the password is wrong") // or the token, the PIN, the login
	ErrForbidden = errors.New("this takes an administrator")
	ErrConflict  = errors.New("this cannot be as things are")
	ErrBusy      = errors.New("too many passwords are being checked at the moment; try again in a few seconds")
)

// WaitError refuses an attempt, right or wrong, after too many that failed.
type WaitError struct{ Wait time.Duration }

// Error says how long to wait, rounded up to seconds.
func (e *WaitError) Error() string {
	return fmt.Sprintf("too many attempts have failed: wait for %v, or let an administrator unlock the account", (e.Wait + time.Second - 1).Truncate(time.Second))
}

// Account is a supervisor's, an administrator's, or that of somebody who is both.
// It never holds a password, a PIN, or what they are checked against.
type Account struct {
	Name      string    `json:"name"` // lower-case letters, digits and . _ -
	FullName  string    `json:"fullName,omitempty"`
	Extension string    `json:"extension,omitempty"` // his own telephone, with or without @domain
	Rank      int       `json:"rank"`                // 0 to 100: who has the same or a higher one is not visible
	Admin     bool      `json:"admin"`               // administers accounts, teams and tokens; gives no right to listen
	Rights    []Action  `json:"rights"`
	Teams     []string  `json:"teams"`   // whose agents he may listen to
	Agents    []string  `json:"agents"`  // further agents: names, extensions, or patterns with * and ?
	Numbers   bool      `json:"numbers"` // whether he sees users' numbers in full
	Disabled  bool      `json:"disabled"`
	Password  bool      `json:"password"` // whether he has one
	PIN       bool      `json:"pin"`      // whether he has one
	Created   time.Time `json:"created"`
	Changed   time.Time `json:"changed"`
}

// Has tells whether the account has the right to an action.
func (a Account) Has(right Action) bool {
	for _, r := range a.Rights {
		if r == right {
			return true
		}
	}
	return false
}

// AccountChange makes or changes an account. What is nil stays as it is, or at
// its zero value where the account is new.
type AccountChange struct {
	FullName  *string   `json:"fullName,omitempty"`
	Extension *string   `json:"extension,omitempty"`
	Rank      *int      `json:"rank,omitempty"`
	Admin     *bool     `json:"admin,omitempty"`
	Rights    *[]Action `json:"rights,omitempty"`
	Teams     *[]string `json:"teams,omitempty"`
	Agents    *[]string `json:"agents,omitempty"`
	Numbers   *bool     `json:"numbers,omitempty"`
	Disabled  *bool     `json:"disabled,omitempty"`
	Password  *string   `json:"password,omitempty"` // "" takes it away
	PIN       *string   `json:"pin,omitempty"`      // "" takes it away
}

// NoticeKind says who is told, by a tone, that somebody listens.
type NoticeKind string

// The kinds of notice, the least strict first.
const (
	NoticeNone  NoticeKind = "none"
	NoticeAgent NoticeKind = "agent" // a tone to the agent
	NoticeAll   NoticeKind = "all"   // a tone to all parties
)

// Notice is how those who are listened to are told.
type Notice struct {
	Kind  NoticeKind `json:"kind"`
	Every int        `json:"every"` // seconds from tone to tone; 0 is once
}

// Team is a named set of agents.
type Team struct {
	Name   string   `json:"name"`
	Agents []string `json:"agents"` // names, extensions, or patterns with * and ?
	Notice Notice   `json:"notice"`
}

// TeamChange changes a team. What is nil stays as it is.
type TeamChange struct {
	Agents *[]string   `json:"agents,omitempty"`
	Kind   *NoticeKind `json:"kind,omitempty"`
	Every  *int        `json:"every,omitempty"`
}

// Token is an account's key to the API, without its secret.
type Token struct {
	ID       string     `json:"id"`
	Account  string     `json:"account"`
	Name     string     `json:"name,omitempty"` // what it is for
	Created  time.Time  `json:"created"`
	Expires  *time.Time `json:"expires,omitempty"`
	LastUsed *time.Time `json:"lastUsed,omitempty"` // to the minute
}

// NewToken is a token that has just been made. Its secret is shown this once.
type NewToken struct {
	Token  Token  `json:"token"`
	Secret string `json:"secret"`
}

// Lock says for how long an account's password, and its PIN, are refused after
// too many wrong ones, in seconds.
type Lock struct {
	Password int `json:"password"`
	PIN      int `json:"pin"`
}

// Accounts is what the HTTP API and the panel need of the accounts. Who asks is
// in the context (WithActor). Errors: ErrDenied, ErrForbidden, ErrConflict,
// ErrNotFound, ErrBadRequest, ErrBusy, all wrapped, *WaitError, and
// fault.StoreUnavailable.
type Accounts interface {
	// Authenticate returns whose token, or whose login, a secret is. via and from
	// become the actor's.
	Authenticate(ctx context.Context, secret, via, from string) (Actor, error)
	// Login checks a password and returns the secret of a login.
	Login(ctx context.Context, name, password, from string) (secret string, a Account, err error)
	Logout(ctx context.Context, secret string) error
	// ChangePassword changes the actor's own password, which ends all his logins.
	ChangePassword(ctx context.Context, old, changed string) error

	// Check tells whether the actor may do something to an agent's call: nil,
	// fault.NotAllowed or fault.RoleNotAllowed, wrapped as ErrNotFound where the agent
	// must not be told apart from one who does not exist, or fault.StoreUnavailable
	// when that cannot be known now. A refusal is recorded. session may be empty.
	Check(ctx context.Context, action Action, agent Agent, session string) error
	// View returns how the actor sees an agent, and whether he does at all.
	View(ctx context.Context) (func(Agent) (Agent, bool), error)
	// Changed returns a channel that is closed at the next change of anything here.
	Changed() <-chan struct{}

	// What follows takes an administrator, but for an account's own tokens.
	Accounts(ctx context.Context) ([]Account, error)
	Account(ctx context.Context, name string) (Account, error)
	// AddAccount makes an account; with first only if there is none yet, and then
	// it is an administrator's.
	AddAccount(ctx context.Context, name string, c AccountChange, first bool) (Account, error)
	EditAccount(ctx context.Context, name string, c AccountChange) (Account, error)
	RemoveAccount(ctx context.Context, name string) error
	Locked(ctx context.Context, name string) (Lock, error)
	Unlock(ctx context.Context, name string) error
	Teams(ctx context.Context) ([]Team, error)
	AddTeam(ctx context.Context, t Team) (Team, error)
	EditTeam(ctx context.Context, name string, c TeamChange) (Team, error)
	RemoveTeam(ctx context.Context, name string) error
	Tokens(ctx context.Context, account string) ([]Token, error)
	AddToken(ctx context.Context, account, name string, expires *time.Time) (NewToken, error)
	RemoveToken(ctx context.Context, account, id string) error
}
