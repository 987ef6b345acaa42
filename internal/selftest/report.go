package selftest

import "livemon/internal/wire"

// Report is what was found on one switch.
type Report struct {
	Node     string         `json:"node"`
	Version  string         `json:"version"`  // of the switch, as it says
	OK       bool           `json:"ok"`       // everything was done, heard as it should be, and cleaned up
	Steps    []Step         `json:"steps"`    // those that were heard, in order; never null
	Moves    []Move         `json:"moves"`    // of the call's two parties; never null
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
}
