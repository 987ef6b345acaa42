package accounts

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"livemon/internal/wire"
	"livemon/state"
)

// Limits on passwords and PINs.
const (
	MinPassword = 10  // characters
	MaxPassword = 256 // bytes
	MinPIN      = 4   // digits
	MaxPIN      = 16
)

// Secrets of tokens and logins begin so, that a leaked one can be told, and
// searched for.
const (
	tokenPrefix = "lmt_"
	loginPrefix = "lms_"
	maxSecret   = 256
)

// DefaultPasswordLimits let five wrong passwords follow one another, then one
// waits for a second, doubled up to 15 minutes; from one place twenty.
func DefaultPasswordLimits() state.Limits {
	return state.Limits{
		Account: state.Limit{Free: 5, Delay: time.Second, Longest: 15 * time.Minute, Forget: 24 * time.Hour},
		Origin:  state.Limit{Free: 20, Delay: time.Second, Longest: 15 * time.Minute, Forget: time.Hour},
	}
}

// DefaultPINLimits let three wrong PINs follow one another, then one waits for
// half a minute, doubled up to an hour; after ten for a day. A PIN has few digits.
func DefaultPINLimits() state.Limits {
	return state.Limits{
		Account: state.Limit{Free: 3, Delay: 30 * time.Second, Longest: time.Hour, Hard: 10, HardFor: 24 * time.Hour, Forget: 24 * time.Hour},
		Origin:  state.Limit{Free: 10, Delay: 30 * time.Second, Longest: time.Hour, Hard: 30, HardFor: 24 * time.Hour, Forget: 24 * time.Hour},
	}
}

func bad(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{wire.ErrBadRequest}, args...)...)
}

// CheckPassword refuses a password that an account should not have.
func CheckPassword(name, password string) error {
	switch {
	case len(password) > MaxPassword:
		return bad("a password has at most %d bytes", MaxPassword)
	case !utf8.ValidString(password) || strings.ContainsFunc(password, unicode.IsControl):
		return bad("a password has no control characters")
	case utf8.RuneCountInString(password) < MinPassword:
		return bad("a password has at least %d characters", MinPassword)
	case name != "" && strings.Contains(strings.ToLower(password), name) && utf8.RuneCountInString(password) < MinPassword+len(name):
		return bad("a password is not the account's name with a little around it")
	case distinct(password) < 4:
		return bad("a password has at least four different characters")
	}
	return nil
}

// CheckPIN refuses a PIN that an account should not have.
func CheckPIN(extension, pin string) error {
	if len(pin) < MinPIN || len(pin) > MaxPIN || strings.Trim(pin, "0123456789") != "" {
		return bad("a PIN has %d to %d digits", MinPIN, MaxPIN)
	}
	user, _, _ := strings.Cut(extension, "@")
	switch {
	case distinct(pin) == 1, sequence(pin, 1), sequence(pin, -1):
		return bad("this PIN is the first that anybody would try; choose another")
	case user != "" && pin == user:
		return bad("a PIN is not the extension")
	}
	return nil
}

func distinct(s string) int {
	seen := map[rune]bool{}
	for _, r := range s {
		seen[r] = true
	}
	return len(seen)
}

func sequence(digits string, step int) bool {
	for i := 1; i < len(digits); i++ {
		if int(digits[i])-int(digits[i-1]) != step {
			return false
		}
	}
	return true
}

// newSecret returns 260 random bits as text.
func newSecret(prefix string) string { return prefix + rand.Text() + rand.Text() }

// digest is what a random secret is stored as. With so many bits to guess
// nothing slower is needed.
func digest(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// origin is from where something was tried, as it is counted and recorded: a text
// of bounded length that can be printed. Addresses of IPv6 are those of a network of
// 64 bits, of which one machine has all.
func origin(from string) string {
	if p, err := prefix64(from); err == nil {
		return p
	}
	from = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, from)
	const most = 100
	for len(from) > most {
		_, n := utf8.DecodeLastRuneInString(from)
		from = from[:len(from)-n]
	}
	return from
}
