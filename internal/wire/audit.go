package wire

import (
	"encoding/json"
	"time"
)

// AuditRecord is one line of the audit stream, oldest first: who did what to
// whom, on which call, from where, and, where it was refused, why.
type AuditRecord struct {
	ID         string    `json:"id"`             // its place in the stream
	Seq        int64     `json:"seq,omitempty"`  // its number in the chain, from 1; 0 for one from before there was a chain
	Hash       string    `json:"hash,omitempty"` // its link of the chain: SHA-256 in hexadecimal
	Time       time.Time `json:"time"`
	Event      string    `json:"event"` // requested, listening, role, refused, takeover, ended, ...
	Session    string    `json:"session,omitempty"`
	Supervisor string    `json:"supervisor,omitempty"`
	Actor      string    `json:"actor,omitempty"` // the account that asked, where it is known
	Phone      string    `json:"phone,omitempty"`
	Agent      string    `json:"agent,omitempty"`
	User       string    `json:"user,omitempty"`
	Node       string    `json:"node,omitempty"`
	Call       string    `json:"call,omitempty"`
	Room       string    `json:"room,omitempty"`
	From       Role      `json:"from,omitempty"`
	To         Role      `json:"to,omitempty"`
	Via        string    `json:"via,omitempty"`    // key, api, switch, controller
	Origin     string    `json:"origin,omitempty"` // from where it was asked for: an IP address or a telephone number
	Code       int       `json:"code,omitempty"`
	Detail     string    `json:"detail,omitempty"`
	Late       bool      `json:"late,omitempty"`   // recorded after the fact: the store was away when it happened
	Anchor     string    `json:"anchor,omitempty"` // of a "trimmed" record: SEQ:HASH of the last record that was removed
}

// AuditFilter selects records. Empty fields do not restrict.
type AuditFilter struct {
	Session    string
	Agent      string
	Supervisor string
	Since      time.Time // at this time or later
	Until      time.Time // before this time
	After      string    // records after this ID
	Limit      int       // 0 means 1000, the most that one call returns; the newest matching ones
}

// AuditHead is the newest end of the audit stream's chain.
type AuditHead struct {
	Head    string `json:"head"`    // SEQ:HASH of the newest record; empty while none is chained
	Records int64  `json:"records"` // how many there are in the stream
}

// AuditLine is one line of an export of the audit stream. The first one has
// Export, the last one End, or Error where the export broke off; the others are
// records. A record whose line is not encoded as encoding/json encodes this
// type has been tampered with.
type AuditLine struct {
	Export *AuditExport    `json:"export,omitempty"`
	ID     string          `json:"id,omitempty"`     // the record's place in the stream
	Seq    int64           `json:"seq,omitempty"`    // its number in the chain; 0 for one from before there was a chain
	Prev   string          `json:"prev,omitempty"`   // the hash of the record before
	Hash   string          `json:"hash,omitempty"`   // its own; "?" for one whose link is not understood
	Record json.RawMessage `json:"record,omitempty"` // its bytes, an AuditRecord without what is said above
	Raw    []byte          `json:"raw,omitempty"`    // its bytes, where they cannot stand in a line as they are
	End    *AuditEnd       `json:"end,omitempty"`
	Error  *Error          `json:"error,omitempty"`
}

// AuditExport begins an export. What selects is that of an AuditFilter.
type AuditExport struct {
	Version    int        `json:"version"` // 1
	Time       time.Time  `json:"time"`    // when the export began
	Head       string     `json:"head"`    // the stream's head at that time
	Session    string     `json:"session,omitempty"`
	Agent      string     `json:"agent,omitempty"`
	Supervisor string     `json:"supervisor,omitempty"`
	Since      *time.Time `json:"since,omitempty"`
	Until      *time.Time `json:"until,omitempty"`
}

// Filtered tells whether records may have been left out.
func (x AuditExport) Filtered() bool {
	return x.Session != "" || x.Agent != "" || x.Supervisor != "" || x.Since != nil || x.Until != nil
}

// AuditEnd ends an export.
type AuditEnd struct {
	Records int64  `json:"records"` // how many were exported
	Head    string `json:"head"`    // the stream's head at the end, later records included
}

// AuditReport says whether an audit stream, or an export of one, is what was written.
type AuditReport struct {
	OK          bool           `json:"ok"`
	Records     int64          `json:"records"`               // those with a link
	Unprotected int64          `json:"unprotected,omitempty"` // those from before there was a chain, of which nothing can be said
	First       int64          `json:"first"`                 // the number of the first record, 0 if there is none
	Last        int64          `json:"last"`
	Head        string         `json:"head"`               // SEQ:HASH of the last record
	Anchor      string         `json:"anchor,omitempty"`   // SEQ:HASH of the last record that retention has removed
	Filtered    bool           `json:"filtered,omitempty"` // a filtered export: what is missing cannot be told
	Confirmed   []string       `json:"confirmed,omitempty"`
	Problems    []AuditProblem `json:"problems"`       // the first 100; never null
	More        int64          `json:"more,omitempty"` // problems beyond those
}

// AuditProblem is one thing that is not as it was written.
type AuditProblem struct {
	Kind   string `json:"kind"`          // missing, changed, reordered, inserted, head or incomplete
	Seq    int64  `json:"seq,omitempty"` // the record's number, or the first one's
	To     int64  `json:"to,omitempty"`  // the last one's, where there are several
	ID     string `json:"id,omitempty"`  // the record's place in the stream, where it is there
	Detail string `json:"detail"`
}
