package conference_test

import (
	"errors"
	"os"
	"reflect"
	"testing"

	"livemon/conference"
)

func who(channel string) (conference.Party, string) {
	switch channel {
	case "13e6d290-5957-4798-ac6d-6ba51a0a700e":
		return conference.User, ""
	case "cc6e471f-8dbd-442d-8aa9-2000ed7193ca":
		return conference.Pupil, ""
	case "b85fb59c-fe15-4d2b-b587-31e8c22da827":
		return conference.Supervisor, "s1"
	}
	return conference.Other, ""
}

func TestReadRoom(t *testing.T) {
	body, err := os.ReadFile("testdata/json_list.json")
	if err != nil {
		t.Fatal(err)
	}
	r, err := conference.ParseList(string(body), who)
	if err != nil {
		t.Fatal(err)
	}
	r, err = conference.ParseRelations(r, "3584 -> 3585 NOSPEAK HEAR NOSENDVIDEO \n")
	if err != nil {
		t.Fatal(err)
	}
	want := conference.Room{Name: "lm-demo", Members: []conference.Member{
		{ID: 3584, Channel: "b85fb59c-fe15-4d2b-b587-31e8c22da827", Party: conference.Supervisor, Session: "s1", Hear: true, NoSpeak: []int{3585}},
		{ID: 3585, Channel: "13e6d290-5957-4798-ac6d-6ba51a0a700e", Party: conference.User, Hear: true, Speak: true},
		{ID: 3586, Channel: "cc6e471f-8dbd-442d-8aa9-2000ed7193ca", Party: conference.Pupil, Hear: true, Speak: true},
	}}
	if !reflect.DeepEqual(r, want) {
		t.Errorf("read %+v\nwant %+v", r, want)
	}
	for _, reply := range []string{"+OK No relationships\n", "-ERR no reply\n", ""} {
		if r, err = conference.ParseRelations(r, reply); err != nil || r.Members[0].NoSpeak != nil {
			t.Errorf("%q: %+v, %v", reply, r.Members[0], err)
		}
	}
}

func TestReadNoRoom(t *testing.T) {
	for _, reply := range []string{"-ERR Conference lm-demo not found\n", "[]"} {
		if _, err := conference.ParseList(reply, who); !errors.Is(err, conference.ErrNoRoom) {
			t.Errorf("%q: %v", reply, err)
		}
	}
	for _, reply := range []string{"", "-ERR other", "{}", `[{"members":[{"id":1,"uuid":"a"},{"id":1,"uuid":"b"}]}]`, `[{},{}]`} {
		if _, err := conference.ParseList(reply, who); !errors.Is(err, conference.ErrUnreadable) {
			t.Errorf("%q: %v", reply, err)
		}
	}
	for _, reply := range []string{"x", "1 2 3", "-1 -> 2 NOSPEAK", "1 -> x NOSPEAK"} {
		if _, err := conference.ParseRelations(conference.Room{}, reply); !errors.Is(err, conference.ErrUnreadable) {
			t.Errorf("%q: %v", reply, err)
		}
	}
}

func FuzzParseList(f *testing.F) {
	if body, err := os.ReadFile("testdata/json_list.json"); err == nil {
		f.Add(string(body))
	}
	f.Add(`[{"members":[{"id":1,"uuid":"a"}]}]`)
	f.Add("-ERR Conference x not found")
	f.Fuzz(func(t *testing.T, reply string) {
		r, err := conference.ParseList(reply, who)
		if err != nil {
			return
		}
		for i, m := range r.Members {
			if m.ID <= 0 || m.Channel == "" || i > 0 && r.Members[i-1].ID >= m.ID {
				t.Fatalf("%q: %+v", reply, r.Members)
			}
		}
	})
}

func FuzzParseRelations(f *testing.F) {
	f.Add("1 -> 2 NOSPEAK HEAR NOSENDVIDEO \n1 -> 0 SPEAK NOHEAR NOSENDVIDEO ")
	f.Add("+OK No relationships\n")
	f.Fuzz(func(t *testing.T, reply string) {
		room := conference.Room{Members: []conference.Member{{ID: 1}, {ID: 2}}}
		if r, err := conference.ParseRelations(room, reply); err == nil && len(r.Members) != 2 {
			t.Fatalf("%q: %+v", reply, r)
		}
	})
}
