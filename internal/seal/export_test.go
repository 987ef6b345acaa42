package seal

import "time"

// Decode and Payload are the two ways of a mark's bytes.
func Decode(b []byte) (Mark, uint64, bool) { return decode(b) }

// Payload is the bytes of a mark.
func Payload(m Mark, created time.Time) []byte { return m.payload(created) }
