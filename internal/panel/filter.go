package panel

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"livemon/internal/web"
	"livemon/internal/wire"
)

const (
	maxField   = 256  // bytes of a filter's field
	maxPage    = 1000 // pages of a list
	dateLayout = "2006-01-02"
	// defaultDays are shown where nobody asks for others.
	defaultDays = 7
)

// filter is what a list is to show.
type filter struct {
	Supervisor, Agent, Session, Event string
	From, To                          string // days, the last one included; empty does not restrict
	Page                              int    // from 1
	since, until                      time.Time
}

// parseFilter reads a filter from a request's query. Days are those of zone. An
// unknown, repeated or malformed parameter is an error: a misspelt filter would
// show more than was asked for.
func parseFilter(q url.Values, zone *time.Location, now time.Time) (filter, error) {
	f := filter{Page: 1}
	if len(q) == 0 {
		f.From = now.In(zone).AddDate(0, 0, 1-defaultDays).Format(dateLayout)
	}
	for name, values := range q {
		if len(values) > 1 {
			return f, badQuery(web.Clip(name, 64) + " is given more than once.")
		}
		v := strings.TrimSpace(values[0])
		if len(v) > maxField || !utf8.ValidString(v) || strings.ContainsFunc(v, unicode.IsControl) {
			return f, badQuery(web.Clip(name, 64) + " is too long, or not text.")
		}
		switch name {
		case "supervisor":
			f.Supervisor = v
		case "agent":
			f.Agent = v
		case "session":
			f.Session = v
		case "event":
			f.Event = v
		case "from":
			f.From = v
		case "to":
			f.To = v
		case "page":
			n, err := strconv.Atoi(v)
			if err != nil || n < 1 || n > maxPage {
				return f, badQuery("page must be a whole number from 1 to " + strconv.Itoa(maxPage) + ".")
			}
			f.Page = n
		default:
			return f, badQuery("There is no parameter " + web.Clip(strconv.Quote(name), 64) + ".")
		}
	}
	var err error
	if f.From != "" {
		if f.since, err = time.ParseInLocation(dateLayout, f.From, zone); err != nil {
			return f, badQuery("from must be a day, as in 2006-01-31.")
		}
	}
	if f.To != "" {
		if f.until, err = time.ParseInLocation(dateLayout, f.To, zone); err != nil {
			return f, badQuery("to must be a day, as in 2006-01-31.")
		}
		f.until = f.until.AddDate(0, 0, 1)
	}
	if !f.since.IsZero() && !f.until.IsZero() && !f.since.Before(f.until) {
		return f, badQuery("The first day must not be after the last one.")
	}
	return f, nil
}

func badQuery(message string) error { return pageError{http.StatusBadRequest, message} }

// query is the filter as an address has it, with another page.
func (f filter) query(page int) string {
	q := url.Values{}
	for name, v := range map[string]string{"supervisor": f.Supervisor, "agent": f.Agent, "session": f.Session, "event": f.Event, "from": f.From, "to": f.To} {
		if v != "" {
			q.Set(name, v)
		}
	}
	if page > 1 || len(q) == 0 {
		q.Set("page", strconv.Itoa(max(page, 1)))
	}
	return q.Encode()
}

// Query is the filter as the address of a file has it.
func (f filter) Query() string { return f.query(1) }

// audit is the filter as the service takes it.
func (f filter) audit() wire.AuditFilter {
	return wire.AuditFilter{Session: f.Session, Supervisor: f.Supervisor, Agent: f.Agent, Since: f.since, Until: f.until}
}

// paging is where in a list one is.
type paging struct {
	Page, Pages  int    // Pages is 0 where that is not known
	Newer, Older string // addresses; empty where there is nothing
}

// slicePage returns the part of a list that is a page, and where that is. more
// says that the list goes on beyond what was read.
func slicePage[T any](list []T, f filter, size int, more bool) ([]T, paging) {
	pages := max((len(list)+size-1)/size, 1)
	at := min(f.Page, pages)
	g := paging{Page: at, Pages: pages}
	if more {
		g.Pages = 0
	}
	if at > 1 {
		g.Newer = "?" + f.query(at-1)
	}
	if at < pages {
		g.Older = "?" + f.query(at+1)
	}
	return list[min((at-1)*size, len(list)):min(at*size, len(list))], g
}
