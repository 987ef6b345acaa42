package wire

import "time"

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
	Token
	Secret string `json:"secret"`
}
