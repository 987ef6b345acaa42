package fsapi

import "strconv"

// member is a member's id, empty if it is none.
func member(id int) string { return members([]int{id}) }

// Lock keeps everybody out of a room who has to obey its lock.
func Lock(r Room) Line { return words("conference", r.s, "lock") }

// Mute, Unmute, Deaf and Undeaf change what a member of a room may say and hear.
// The member is not told.
func Mute(r Room, id int) Line { return words("conference", r.s, "mute", member(id), "quiet") }

// Unmute lets a member be heard.
func Unmute(r Room, id int) Line { return words("conference", r.s, "unmute", member(id), "quiet") }

// Deaf lets a member hear nothing.
func Deaf(r Room, id int) Line { return words("conference", r.s, "deaf", member(id), "quiet") }

// Undeaf lets a member hear.
func Undeaf(r Room, id int) Line { return words("conference", r.s, "undeaf", member(id), "quiet") }

// Kick removes a member from a room and hangs the channel up.
func Kick(r Room, id int) Line { return words("conference", r.s, "kick", member(id)) }

// A Relation says what a member and others are to each other. It replaces the one
// that there was.
type Relation string

// The relations: the others do not hear the member, the member does not hear the
// others, both, none.
const (
	NoSpeak       Relation = "nospeak"
	NoHear        Relation = "nohear"
	NoSpeakNoHear Relation = "nospeak,nohear"
	Unrelated     Relation = "clear"
)

// Relate sets a member's relation to others.
func Relate(r Room, id int, others []int, how Relation) Line {
	switch how {
	case NoSpeak, NoHear, NoSpeakNoHear, Unrelated:
		return words("conference", r.s, "relate", member(id), members(others), string(how))
	}
	return Line{}
}

// Play plays a sound to one member of a room and to nobody else.
func Play(r Room, s Sound, id int) Line {
	if id <= 0 {
		return Line{}
	}
	return words("conference", r.s, "play", s.s, strconv.Itoa(id))
}
