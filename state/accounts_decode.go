package state

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"livemon/internal/wire"
)

// Limits on accounts and teams.
const (
	maxFullName    = 256 // bytes
	maxExtension   = 64
	maxTeamName    = 64
	maxTeamsOf     = 64  // teams of an account
	maxPatterns    = 128 // patterns of an account or a team
	maxPattern     = 128 // bytes
	maxRank        = 100
	maxNoticeEvery = 3600 // seconds
	minNoticeEvery = 2
)

// secretValue is what an account is checked against.
type secretValue struct {
	Password string `json:"password,omitempty"`
	PIN      string `json:"pin,omitempty"`
}

var (
	mark        = regexp.MustCompile(`^[0-9A-Za-z]{1,64}$`) // versions, births, epochs, ids
	accountName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	extension   = regexp.MustCompile(`^[0-9A-Za-z+*#._-]+(@[0-9A-Za-z._-]+)?$`)
)

// decodeAccount reads "version birth JSON". The name is the one it is stored under.
func decodeAccount(name, value string) (Account, error) {
	version, rest, _ := strings.Cut(value, " ")
	birth, text, _ := strings.Cut(rest, " ")
	if !mark.MatchString(version) || !mark.MatchString(birth) {
		return Account{}, errors.New("no version or birth")
	}
	a := Account{Version: version, Birth: birth}
	if err := decode(text, &a.Account); err != nil {
		return Account{}, err
	}
	a.Name = name
	a.Account = tidyAccount(a.Account)
	return a, checkAccount(a.Account)
}

// readSecrets reads "epoch JSON".
func (a *Account) readSecrets(value string) error {
	epoch, text, _ := strings.Cut(value, " ")
	if !mark.MatchString(epoch) {
		return errors.New("no epoch")
	}
	var v secretValue
	if err := decode(text, &v); err != nil {
		return err
	}
	a.Epoch, a.PasswordHash, a.PINHash = epoch, v.Password, v.PIN
	a.Password, a.PIN = v.Password != "", v.PIN != ""
	return nil
}

// tidyAccount makes lists that are never null.
func tidyAccount(a wire.Account) wire.Account {
	a.Rights, a.Teams, a.Agents = notNil(a.Rights), notNil(a.Teams), notNil(a.Agents)
	return a
}

func notNil[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// CheckAccount tells whether an account can be stored: nil, or a
// wire.ErrBadRequest that says why not.
func CheckAccount(a wire.Account) error { return asBadRequest(checkAccount(a)) }

// CheckTeam is CheckAccount for a team.
func CheckTeam(t wire.Team) error { return asBadRequest(checkTeam(t)) }

func asBadRequest(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", wire.ErrBadRequest, err)
}

func checkAccount(a wire.Account) error {
	switch {
	case !accountName.MatchString(a.Name):
		return errors.New("an account's name has 1 to 64 small letters, digits and . _ -, and begins with a letter or digit")
	case a.Name == wire.OperatorName:
		return fmt.Errorf("%q is what the machine's own administrator is called; choose another name", a.Name)
	case len(a.FullName) > maxFullName || !printable(a.FullName):
		return fmt.Errorf("a full name has at most %d bytes and no control characters", maxFullName)
	case a.Extension != "" && (len(a.Extension) > maxExtension || !extension.MatchString(a.Extension)):
		return fmt.Errorf("an extension has at most %d digits, letters and + * # . _ -, and may end with @domain", maxExtension)
	case a.Rank < 0 || a.Rank > maxRank:
		return fmt.Errorf("a rank is a number from 0 to %d", maxRank)
	case len(a.Teams) > maxTeamsOf:
		return fmt.Errorf("an account has at most %d teams", maxTeamsOf)
	}
	for i, r := range a.Rights {
		if !slices.Contains(wire.Actions(), r) || slices.Contains(a.Rights[:i], r) {
			return fmt.Errorf("rights are listen, coach, barge and takeover, each once at most: not %.40q", string(r))
		}
	}
	for _, t := range a.Teams {
		if err := checkTeamName(t); err != nil {
			return err
		}
	}
	return checkPatterns(a.Agents)
}

func checkPatterns(list []string) error {
	if len(list) > maxPatterns {
		return fmt.Errorf("there are at most %d agents or patterns of agents", maxPatterns)
	}
	for _, p := range list {
		if p == "" || len(p) > maxPattern || !printable(p) {
			return fmt.Errorf("an agent or pattern has 1 to %d bytes and no control characters: not %.40q", maxPattern, p)
		}
	}
	return nil
}

func checkTeamName(name string) error {
	if name == "" || len(name) > maxTeamName || !printable(name) || strings.TrimSpace(name) != name {
		return fmt.Errorf("a team's name has 1 to %d bytes, no control characters, and no blanks at its ends: not %.40q", maxTeamName, name)
	}
	return nil
}

func checkTeam(t wire.Team) error {
	if err := checkTeamName(t.Name); err != nil {
		return err
	}
	switch t.Notice.Kind {
	case wire.NoticeNone:
		if t.Notice.Every != 0 {
			return errors.New("a notice of none has nothing to repeat")
		}
	case wire.NoticeAgent, wire.NoticeAll:
		if n := t.Notice.Every; n != 0 && (n < minNoticeEvery || n > maxNoticeEvery) {
			return fmt.Errorf("a notice is given once (0), or again every %d to %d seconds", minNoticeEvery, maxNoticeEvery)
		}
	default:
		return fmt.Errorf("a notice is none, agent or all: not %.40q", string(t.Notice.Kind))
	}
	return checkPatterns(t.Agents)
}

// decodeTeam reads "version JSON". The name is the one it is stored under.
func decodeTeam(name, value string) (t wire.Team, version string, err error) {
	version, text, _ := strings.Cut(value, " ")
	if !mark.MatchString(version) {
		return wire.Team{}, "", errors.New("no version")
	}
	if err := decode(text, &t); err != nil {
		return wire.Team{}, "", err
	}
	t.Name, t.Agents = name, notNil(t.Agents)
	return t, version, checkTeam(t)
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r)
	})
}

// foldExtension is an extension as the index has it: the switch finds users in
// either case of ASCII's letters.
func foldExtension(s string) string {
	return strings.Map(func(r rune) rune {
		if 'A' <= r && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, s)
}
