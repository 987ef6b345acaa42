package selftest

import "livemon/internal/wire"

// Report is what was found on one switch.
type Report struct {
	Node     string         `json:"node"`
	Version  string         `json:"version"`  // of the switch, as it says
	OK       bool           `json:"ok"`       // everything was done, heard as it should be, and cleaned up
	Steps    []Step         `json:"steps"`    // those that were heard, in order; never null
	Moves    []Move         `json:"moves"`    // of the call's two parties; never null
	Media    Media          `json:"media"`    // whether audio was received, by which gaps and leaks are found
	Leaks    []Leak         `json:"leaks"`    // who was heard, if only for a moment, and must not be; never null
	Problems []wire.Finding `json:"problems"` // what kept it from going on; never null
	Clean    bool           `json:"clean"`    // nothing of the test is left on the switch
}

// Step is who hears whom at one point of the test.
type Step struct {
	Name string `json:"step"`
	OK   bool   `json:"ok"`
	Rows []Row  `json:"rows"`
}

// Row is what one party hears.
type Row struct {
	Listener string   `json:"listener"`
	Should   []string `json:"should"` // whom it should hear; never null
	Heard    []string `json:"heard"`  // whom it was found to hear; never null
	OK       bool     `json:"ok"`
}

// Move is one of the call's moves, and the milliseconds from the command until
// both parties were seen where they should be.
type Move struct {
	Name string `json:"move"`
	MS   int64  `json:"ms"`
	Gaps []Gap  `json:"gaps"` // empty where nothing was measured, and for the call's beginning; never null
}

// Gap is for how many milliseconds a party did not hear the other one, to some 3 ms.
type Gap struct {
	Party string `json:"party"`
	MS    int64  `json:"ms"`
}

// Media is the audio that the switch sent to the test. Without it the test goes
// on, and finds who hears whom, but no gaps and no leaks.
type Media struct {
	Measured bool   `json:"measured"`
	Address  string `json:"address,omitempty"` // where it was expected, as the switch was told
	Frames   int64  `json:"frames"`            // of 20 ms that were searched for leaks
	Detail   string `json:"detail,omitempty"`  // why nothing was measured
	Do       string `json:"do,omitempty"`      // what to do about that
}

// Leak is somebody who was heard and must not be.
type Leak struct {
	During   string `json:"during"`
	Listener string `json:"listener"`
	Speaker  string `json:"speaker"`
	MS       int64  `json:"ms"` // for about how long, at full level
}
