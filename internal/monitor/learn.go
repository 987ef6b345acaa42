package monitor

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"livemon/esl"
	"livemon/internal/fsapi"
	"livemon/internal/identity"
	"livemon/internal/tracker"
)

// Resync implements esl.Handler: the switch is read as a whole, and everything
// known of it is put right. Events that fired meanwhile are applied afterwards.
func (n *node) Resync(ctx context.Context) error {
	snap, err := n.read(ctx)
	if err != nil {
		n.log.Warn("the switch could not be read", "error", err)
		return err
	}
	version, err := n.sw().API(ctx, fsapi.Version())
	if err != nil {
		return err
	}
	confDir, err := n.sw().API(ctx, fsapi.Global(fsapi.Name("conf_dir")))
	if err != nil {
		return err
	}
	core, err := n.sw().API(ctx, fsapi.Global(fsapi.Name("core_uuid")))
	if err != nil {
		return err
	}
	n.mu.Lock()
	if _, err := n.tracker.Load(snap); err != nil {
		n.mu.Unlock()
		n.log.Error("what the switch says of itself could not be understood", "error", err)
		return err
	}
	n.version, n.confDir = strings.TrimSpace(version), strings.TrimSpace(confDir)
	n.cleanUp()
	n.replace = true
	n.mu.Unlock()
	if err := n.askUsers(ctx); err != nil {
		return err
	}
	if err := n.adopt(ctx); err != nil {
		return err
	}
	n.mu.Lock()
	restarted := n.core != "" && n.core != core
	n.ready, n.core, n.lostAt, n.lostWhy = true, core, time.Time{}, ""
	for _, c := range n.calls {
		c.post(resynced{restarted})
	}
	n.mu.Unlock()
	n.wantWrite()
	n.m.touch()
	n.log.Info("the switch has been read", "version", n.version)
	return nil
}

// tableLag is how far the switch's tables may be behind its events, at the most
// that was measured on a busy machine.
const tableLag = 400 * time.Millisecond

// read asks the switch for everything the tracker needs.
func (n *node) read(ctx context.Context) (tracker.Snapshot, error) {
	pause(ctx, tableLag, nil)
	snap := tracker.Snapshot{Time: time.Now(), Vars: map[string]map[string]string{}}
	ask := func(line fsapi.Line) (string, error) {
		reply, err := n.sw().API(ctx, line)
		var e *esl.Error
		if errors.As(err, &e) && errors.Is(err, esl.ErrReply) {
			return e.Reply, nil // a module that is not loaded is an answer too
		}
		return reply, err
	}
	for i, line := range tracker.SnapshotCommands() {
		reply, err := ask(line)
		if err != nil {
			return tracker.Snapshot{}, err
		}
		switch i {
		case 0:
			snap.Channels = []byte(reply)
		case 1:
			snap.Calls = []byte(reply)
		case 2:
			snap.Registrations = []byte(reply)
		case 3:
			snap.Conferences = []byte(reply)
		case 4:
			snap.CCAgents = reply
		case 5:
			snap.Users = reply
		}
	}
	inTheWay, rooms := strings.HasPrefix(string(snap.Conferences), roomInTheWay), map[string]bool{}
	for _, ch := range tracker.ChannelIDs(snap.Channels) {
		channel, err := fsapi.ParseChannel(ch)
		if err != nil {
			continue // it is shown by what the tables and its events say
		}
		dump, err := ask(fsapi.DumpJSON(channel))
		if err != nil {
			return tracker.Snapshot{}, err
		}
		snap.Vars[ch] = tracker.DumpVars([]byte(dump))
		if inTheWay {
			rooms[tracker.DumpRoom([]byte(dump))] = true
		}
	}
	if inTheWay {
		var err error
		if snap.Conferences, err = readRooms(ask, rooms); err != nil {
			return tracker.Snapshot{}, err
		}
	}
	return snap, nil
}

// roomInTheWay begins the answer to a question about all conferences when one of
// them is called as the question is: anybody who may name a conference can do that.
const roomInTheWay = "Conference command, not specified"

// readRooms asks for conferences one by one.
func readRooms(ask func(fsapi.Line) (string, error), names map[string]bool) ([]byte, error) {
	all := []json.RawMessage{}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		room, err := fsapi.ParseRoom(name)
		if err != nil {
			continue
		}
		reply, err := ask(fsapi.RoomMembers(room))
		if err != nil {
			return nil, err
		}
		var one []json.RawMessage
		if json.Unmarshal([]byte(reply), &one) == nil { // else it has ended
			all = append(all, one...)
		}
	}
	return json.Marshal(all)
}

// askUsers asks the switch whose telephones the tracker could not tell.
func (n *node) askUsers(ctx context.Context) error {
	n.mu.Lock()
	unknown, legs := n.tracker.UnknownPresence(), n.tracker.VertoLegs()
	n.mu.Unlock()
	for _, p := range unknown {
		user, err := fsapi.ParseUser(p)
		reply := ""
		if err == nil {
			reply, err = n.sw().API(ctx, fsapi.UserExists(user))
		}
		if err != nil && !errors.Is(err, esl.ErrReply) && !errors.Is(err, fsapi.ErrUnsafe) {
			return err
		}
		n.mu.Lock()
		n.changed(n.tracker.SetUser(p, err == nil && strings.TrimSpace(reply) == "true"))
		n.mu.Unlock()
	}
	for _, leg := range legs {
		owner, err := n.vertoOwner(ctx, leg)
		if err != nil {
			return err
		}
		n.mu.Lock()
		n.changed(n.tracker.SetOwner(leg, owner))
		n.mu.Unlock()
	}
	return nil
}

// vertoSession returns the session that a leg of mod_verto leads to, letter by
// letter. A client chooses its session's id, which an event does not tell exactly
// where it holds an escape or is long.
func (n *node) vertoSession(ctx context.Context, leg tracker.VertoLeg) (string, error) {
	if strings.IndexFunc(leg.Session, func(r rune) bool { return r != '-' && !unicode.IsLetter(r) && !unicode.IsDigit(r) }) < 0 {
		return leg.Session, nil
	}
	channel, err := fsapi.ParseChannel(leg.Channel)
	if err != nil {
		return leg.Session, nil
	}
	dump, err := n.answer(ctx, fsapi.DumpJSON(channel))
	if get := identity.Dump([]byte(dump)); err == nil && get != nil {
		return identity.Session(get), nil
	}
	return "", err
}

// maxClients bounds how many users of mod_verto are asked about for one leg that
// does not name its own.
const maxClients = 1000

// vertoOwner returns the user whose client a leg of mod_verto leads to, "" if there
// is none any more. The leg's own word is where the search begins, and no more.
func (n *node) vertoOwner(ctx context.Context, leg tracker.VertoLeg) (string, error) {
	session, err := n.vertoSession(ctx, leg)
	if err != nil {
		return "", err
	}
	serves := func(name string) (bool, error) {
		user, err := fsapi.ParseUser(name)
		if err != nil {
			return false, nil
		}
		reply, err := n.sw().API(ctx, fsapi.VertoContact(user))
		if err != nil && !errors.Is(err, esl.ErrReply) {
			return false, err
		}
		return err == nil && identity.Serves(reply, session), nil
	}
	for _, user := range leg.Claims {
		if yes, err := serves(user); yes || err != nil {
			return user, err
		}
	}
	reply, err := n.sw().API(ctx, fsapi.VertoClients())
	if err != nil && !errors.Is(err, esl.ErrReply) {
		return "", err
	}
	users := identity.Clients([]byte(reply))
	for _, user := range users[:min(len(users), maxClients)] {
		if slices.Contains(leg.Claims, user) {
			continue
		}
		if yes, err := serves(user); yes || err != nil {
			return user, err
		}
	}
	n.log.Warn("a leg of a Verto client is nobody's", "channel", leg.Channel)
	return "", nil
}

// Event implements esl.Handler. It never waits.
func (n *node) Event(_ context.Context, e *esl.Event) {
	n.mu.Lock()
	changes := n.tracker.Apply(e)
	asks := n.tracker.Asks()
	n.changed(changes)
	n.wakeVigils(changes.Calls)
	channel, room := e.Get("Unique-ID"), e.Get("Conference-Name")
	c := n.byChannel[channel]
	if c == nil && room != "" {
		c = n.byRoom[room]
	}
	var s *session
	switch {
	case e.Name == "BACKGROUND_JOB":
		if done := n.jobs[e.Get("Job-UUID")]; done != nil {
			delete(n.jobs, e.Get("Job-UUID"))
			done(strings.TrimSpace(e.Body))
		}
	case c != nil:
		if s = n.byLeg[channel]; s != nil && e.Name == "CHANNEL_PARK" {
			s.parked = true
		}
		if e.Name == "CHANNEL_HANGUP" && c.firstGone == "" && (channel == c.pupil || channel == c.user) {
			c.firstGone = channel
		}
	}
	n.mu.Unlock()
	if !changes.Empty() {
		n.m.touch()
	}
	if asks || !changes.Empty() {
		n.wantWrite()
	}
	if c == nil {
		return
	}
	switch {
	case s != nil && e.Get("Action") == "dtmf":
		c.post(keyPressed{s, e.Get("Data"), e.Time})
	case e.Name == "CHANNEL_HOLD" || e.Name == "CHANNEL_UNHOLD":
		c.post(holdChanged{})
	case room != "":
		c.post(roomChanged{})
	default:
		c.post(legChanged{})
	}
}

// Lost implements esl.Handler.
func (n *node) Lost(err error) {
	n.mu.Lock()
	if n.ready || n.lostAt.IsZero() {
		n.lostAt = time.Now()
	}
	n.ready, n.lostWhy = false, err.Error()
	n.mu.Unlock()
	n.m.touch()
	n.log.Warn("the event connection is lost", "error", err)
}
