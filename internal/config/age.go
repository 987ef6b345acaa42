package config

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// Age is how old something may become: a number of days as in 90d, or a duration
// as in 36h. Zero means that there is no limit.
type Age time.Duration

var errAge = errors.New("it must be a number of days as in 90d, a duration as in 36h, or 0 for no limit")

// ParseAge reads what String gives.
func ParseAge(s string) (Age, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n > maxKeepDays {
			return 0, errAge
		}
		return Age(time.Duration(n) * day), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 {
		return 0, errAge
	}
	return Age(d), nil
}

// String is the age in days where it is a whole number of them.
func (a Age) String() string {
	d := time.Duration(a)
	switch {
	case d == 0:
		return "0"
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	}
	return d.String()
}

// UnmarshalText and MarshalText make it so in YAML.
func (a *Age) UnmarshalText(text []byte) (err error) {
	*a, err = ParseAge(string(text))
	return err
}

// MarshalText implements encoding.TextMarshaler.
func (a Age) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// What audit-keep can be, besides 0.
const (
	minKeep     = time.Hour
	maxKeepDays = 36500
)

func (c *Config) validateAuditKeep() error {
	if keep := time.Duration(c.AuditKeep); keep != 0 && (keep < minKeep || keep > maxKeepDays*day) {
		return bad("audit-keep", "%v is neither 0 nor between %v and %dd", c.AuditKeep, Age(minKeep), maxKeepDays)
	}
	return nil
}
