package fsconf

import (
	"slices"
	"strings"
)

// control is one element of the caller-controls group, as the switch has it.
type control struct{ Digits, Data string }

// How mod_conference reads digits: '=' makes a binding fire at once, '~' makes it a
// regular expression. With an expression in the group, a sequence without '='
// would only fire after the time between two keys.
const (
	atOnce     = "="
	expression = "~"
)

// controls are what the group must hold, in this order: the exact sequences first,
// because of two that fire at once the switch takes the first.
func (k Keys) controls() []control {
	var out []control
	for _, b := range k.bindings() {
		out = append(out, control{atOnce + b.Digits, b.Data})
	}
	return append(out,
		control{atOnce + expression + k.unknown(), DataUnknown}, // ends in '#'
		control{expression + ".", DataUnknown})                  // whatever is left at the time-out
}

// unknown is the expression for what ends in '#', but for the beginning of a
// sequence that goes on after a '#'.
func (k Keys) unknown() string {
	var begun []string
	for _, b := range k.bindings() {
		for i := range len(b.Digits) - 1 {
			if b.Digits[i] == '#' {
				begun = append(begun, strings.ReplaceAll(b.Digits[:i+1], "*", "[*]"))
			}
		}
	}
	if len(begun) == 0 {
		return "#$"
	}
	slices.Sort(begun)
	return "^(?!(?:" + strings.Join(slices.Compact(begun), "|") + ")$).*#$"
}

// optional tells whether a room is as it must be without a key for data.
func optional(data string) bool {
	return data == DataSay || data == DataFollow || data == DataUnknown
}
