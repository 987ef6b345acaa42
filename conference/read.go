package conference

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// ErrNoRoom says that the switch has no conference of that name.
var ErrNoRoom = errors.New("conference: no such room")

// ErrUnreadable says that a reply of mod_conference is not what it should be.
var ErrUnreadable = errors.New("conference: unreadable reply")

// maxMembers bounds what a reply may make us hold.
const maxMembers = 10_000

// Who says what a channel is to livemon: its party and, for a supervisor, his session.
type Who func(channel string) (Party, string)

// ParseList reads the reply to "conference ROOM json_list". Relations are not
// in it: see ParseRelations. Members without a channel (recordings, dialled
// files) are left out; they hear and are heard by mod_conference's own rules.
func ParseList(reply string, who Who) (Room, error) {
	if strings.HasPrefix(reply, "-ERR") && strings.Contains(reply, "not found") {
		return Room{}, ErrNoRoom
	}
	var list []struct {
		Name    string `json:"conference_name"`
		Locked  bool   `json:"locked"`
		Members []struct {
			Type  string `json:"type"`
			ID    int    `json:"id"`
			UUID  string `json:"uuid"`
			Flags struct {
				Hear  bool `json:"can_hear"`
				Speak bool `json:"can_speak"`
			} `json:"flags"`
		} `json:"members"`
	}
	if err := json.Unmarshal([]byte(reply), &list); err != nil {
		return Room{}, fmt.Errorf("%w: json_list: %w", ErrUnreadable, err)
	}
	if len(list) == 0 {
		return Room{}, ErrNoRoom
	}
	if len(list) > 1 || len(list[0].Members) > maxMembers {
		return Room{}, fmt.Errorf("%w: json_list: %d rooms, %d members", ErrUnreadable, len(list), len(list[0].Members))
	}
	r := Room{Name: list[0].Name, Locked: list[0].Locked}
	for _, m := range list[0].Members {
		if m.UUID == "" || m.ID <= 0 {
			continue
		}
		x := Member{ID: m.ID, Channel: m.UUID, Hear: m.Flags.Hear, Speak: m.Flags.Speak}
		x.Party, x.Session = who(m.UUID)
		r.Members = append(r.Members, x)
	}
	slices.SortFunc(r.Members, func(a, b Member) int { return a.ID - b.ID })
	for i := 1; i < len(r.Members); i++ {
		if r.Members[i].ID == r.Members[i-1].ID {
			return Room{}, fmt.Errorf("%w: json_list: member %d twice", ErrUnreadable, r.Members[i].ID)
		}
	}
	return r, nil
}

// ParseRelations puts the reply to fsapi.Relations into the room. Whoever is not
// in the reply has no relations.
func ParseRelations(r Room, reply string) (Room, error) {
	r = r.clone()
	for i := range r.Members {
		r.Members[i].NoSpeak, r.Members[i].NoHear = nil, nil
	}
	reply = strings.TrimSpace(reply)
	if reply == "" || strings.HasPrefix(reply, "+OK No relationships") || strings.HasPrefix(reply, "-ERR no reply") {
		return r, nil
	}
	for line := range strings.Lines(reply) {
		f := strings.Fields(line)
		if len(f) < 3 || f[1] != "->" {
			return Room{}, fmt.Errorf("%w: relate: %.80q", ErrUnreadable, line)
		}
		from, err1 := strconv.Atoi(f[0])
		to, err2 := strconv.Atoi(f[2])
		if err1 != nil || err2 != nil || from <= 0 || to < 0 {
			return Room{}, fmt.Errorf("%w: relate: %.80q", ErrUnreadable, line)
		}
		i := slices.IndexFunc(r.Members, func(m Member) bool { return m.ID == from })
		if i < 0 {
			continue
		}
		if slices.Contains(f[3:], "NOSPEAK") {
			r.Members[i].NoSpeak = append(r.Members[i].NoSpeak, to)
		}
		if slices.Contains(f[3:], "NOHEAR") {
			r.Members[i].NoHear = append(r.Members[i].NoHear, to)
		}
	}
	return r, nil
}
