package monitor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"livemon/esl"
	"livemon/fsconf"
	"livemon/internal/access"
	"livemon/internal/fault"
	"livemon/internal/fsapi"
	"livemon/internal/identity"
	"livemon/internal/wire"
)

// How PINs are asked for when a supervisor dials in.
const (
	// PINByAccount asks whose account has one; whose has none is known by his extension alone.
	PINByAccount = "account"
	// PINAlways asks everybody; whose account has none cannot dial in.
	PINAlways = "always"
)

const (
	dialInTime = 3 * time.Minute // for a supervisor to say who he is, and what he wants
	pinTries   = 3
	maxDigits  = 16
	checkTime  = 20 * time.Second // for a PIN to be checked
	digitTime  = 6 * time.Second  // for the first key, and between two
	tenKeys    = "0123456789"
	// varDigits is where the switch puts the keys that were asked for, until they
	// have been read.
	varDigits = "livemon_digits"
)

func listen(ctx context.Context, addr string) (net.Listener, error) {
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", addr)
}

// caller is a supervisor who dialled the feature code.
type caller struct {
	m     *Monitor
	n     *node
	oc    *esl.OutboundCall
	phone string // where he calls from, as the switch has authenticated it
	agent string // whom he dialled

	user, domain    string // the user that the switch has authenticated on the leg
	number, address string // what the leg says of itself; number is empty where it must not count
}

// dialIn serves a supervisor who dialled the feature code and an agent's
// extension. He is known by the extension that the switch has authenticated, and
// his PIN.
func (m *Monitor) dialIn(ctx context.Context, oc *esl.OutboundCall) {
	log := m.log.With("channel", oc.Channel(), "component", "dial-in")
	talk, cancel := context.WithTimeout(ctx, dialInTime)
	defer cancel()
	p := &caller{m: m, n: m.nodeOf(talk, oc.Channel()), oc: oc}
	if p.n == nil {
		log.Warn("a supervisor's call comes from a switch that this controller does not act on")
		_ = oc.Hangup(ctx, "NORMAL_TEMPORARY_FAILURE") // he has hung up, or hears it
		return
	}
	if err := p.believe(talk); err != nil {
		log.Error("somebody who is not the switch, or a call that did not dial the feature code, has come to the outbound socket", "error", err)
		return
	}
	if err := oc.ExecuteWait(talk, fsapi.Answer()); err != nil {
		log.Warn("a supervisor's call could not be answered", "error", err)
		return
	}
	x, err := p.serve(talk)
	if err == nil {
		// The switch ends the call with the socket, so wait until it has been
		// transferred away from it.
		for x.Status != wire.Listening && x.Status != wire.Waiting && x.Status != wire.Ended && ctx.Err() == nil {
			if x, err = m.AwaitSession(ctx, x.ID, x.Status, x.Role); err != nil {
				return
			}
		}
		return
	}
	if errors.Is(err, errHungUp) {
		log.Info("a supervisor hung up before he listened")
		return
	}
	log.Info("a supervisor was refused", "error", err)
	if !errors.Is(err, errTold) {
		p.play(talk, fsconf.PlayString(p.n.conf(), codeOf(err).Digits()))
	}
	_ = oc.Hangup(ctx, "NORMAL_CLEARING") // likewise
}

// errTold marks what the supervisor has been told already.
var errTold = errors.New("the supervisor has been told")

// errHungUp says that the supervisor has hung up.
var errHungUp = errors.New("the supervisor has hung up")

// codeOf is what a supervisor hears of an error. An agent who does not exist is
// nobody's to listen to.
func codeOf(err error) fault.Code {
	if code := fault.Of(err); code != 0 {
		return code
	}
	if errors.Is(err, wire.ErrBusy) {
		return fault.SwitchTimeout
	}
	return fault.NotAllowed
}

// believe reads off the switch what the outbound connection, which anybody can
// open, only says: that this leg has dialled the feature code and waits for us,
// and whose it is.
func (p *caller) believe(ctx context.Context) error {
	channel := p.oc.Channel()
	dump, err := p.n.sw().API(context.WithoutCancel(ctx), fsapi.DumpJSON(channelOf(channel)))
	if err != nil {
		return err
	}
	get := identity.Dump([]byte(dump))
	if get == nil {
		return fmt.Errorf("the switch says of the leg %.80q", dump)
	}
	app, number := get("variable_current_application"), get("Caller-Destination-Number")
	agent, dialled := strings.CutPrefix(number, p.m.cfg.Settings.DialIn)
	p.n.mu.Lock()
	leg, known := p.n.tracker.Leg(channel)
	_, taken := p.n.byLeg[channel]
	p.n.mu.Unlock()
	if !known || taken || leg.Partner != "" || leg.Room != "" || !dialled || app != "socket" {
		return fmt.Errorf("the leg is in %.80q, and dialled %.80q", app, number)
	}
	// A bridge that the leg has been in may have given it variables: so what it
	// said when it began must be the same.
	if who := identity.Caller(get); leg.Certain && strings.EqualFold(who, leg.PresenceID) {
		p.user, p.domain, _ = strings.Cut(leg.PresenceID, "@")
	}
	if !identity.ChoosesNumber(get) {
		p.number = get("Caller-Caller-ID-Number")
	}
	p.agent, p.address = agent, get("variable_sip_network_ip")
	return nil
}

// serve finds out who calls and begins his session.
func (p *caller) serve(ctx context.Context) (wire.Session, error) {
	who, err := p.identify(ctx)
	if err != nil {
		p.refused(who, err)
		return wire.Session{}, err
	}
	ctx = wire.WithActor(ctx, who)
	if err := checkName("agent", p.agent); err != nil {
		p.refused(who, err)
		return wire.Session{}, err
	}
	p.play(ctx, fsconf.PromptFile(p.n.conf(), fsconf.PromptConfirm)) // whoever he dialled
	agent, err := p.find(ctx, who)
	if err != nil {
		p.refused(who, err)
		return wire.Session{}, codeless(err)
	}
	r := wire.MonitorRequest{Agent: agent, Phone: p.phone, Supervisor: cmp.Or(who.Account, p.phone), Coaching: p.m.cfg.DialInCoaching}
	x, err := p.n.start(ctx, agent, r, fsapi.Dial{}, p.oc.Channel())
	if code := fault.Of(err); code != fault.PupilGone && code != fault.UserGone {
		return x, err
	}
	// Nobody to listen to: he hears the code, and may wait for the next call.
	say := fsconf.PlayString(p.n.conf(), fault.Of(err).Digits()) + "!" + fsconf.PromptFile(p.n.conf(), fsconf.PromptWait)
	p.forget(ctx)
	key, gerr := p.ask(ctx, say, 1, 0, "*")
	if gerr != nil {
		return wire.Session{}, gerr
	}
	if key != "*" {
		return wire.Session{}, fmt.Errorf("%w: %w", errTold, err)
	}
	r.Follow = wire.FollowNext
	return p.n.start(ctx, agent, r, fsapi.Dial{}, p.oc.Channel())
}

// find finds the agent whom he dialled, among those whom he may know of: others
// neither answer to a number nor make it ambiguous. The error is for the record.
func (p *caller) find(ctx context.Context, who wire.Actor) (string, error) {
	p.n.mu.Lock()
	ready := p.n.holding && p.n.ready
	agents := p.n.tracker.Agents()
	p.n.mu.Unlock()
	if !ready {
		return "", fault.Wrap(fault.SwitchTimeout, "dial in", errNodeAway)
	}
	var hits, exact []string
	err := noAgent(p.agent)
	for _, a := range agents {
		if !a.Called(p.agent) {
			continue
		}
		refusal := p.m.policy.Allowed(ctx, who, wire.ActionListen, a, access.Call{})
		if errors.Is(refusal, wire.ErrNotFound) {
			err = refusal
			continue
		}
		if hits = append(hits, a.Agent); a.Agent == p.agent {
			exact = append(exact, a.Agent)
		}
	}
	switch {
	case len(exact) == 1:
		return exact[0], nil
	case len(hits) == 1:
		return hits[0], nil
	case len(hits) > 1:
		return "", notAllowed("several agents are called " + short(p.agent))
	}
	return "", err
}

// codeless is an error as he who dialled hears it: an agent whom he may not know
// of sounds like one who does not exist.
func codeless(err error) error {
	if errors.Is(err, wire.ErrNotFound) {
		return wire.ErrNotFound
	}
	return err
}

// refused records a refusal that no session's request will.
func (p *caller) refused(who wire.Actor, err error) {
	if errors.Is(err, errHungUp) {
		return
	}
	if fault.Of(err) == 0 {
		err = fault.Wrap(codeOf(err), "dial in", err)
	}
	who.Via, who.From = "telephone", p.from()
	x := wire.Session{Supervisor: cmp.Or(who.Account, p.phone), Phone: p.phone, Agent: short(p.agent), Node: p.n.name}
	p.n.refused(x, who, err)
}

// identify finds out whose telephone it is and, where there are accounts, whether
// it is he who calls.
func (p *caller) identify(ctx context.Context) (wire.Actor, error) {
	domain := p.domain
	if p.phone = p.user; p.phone == "" && p.m.cfg.TrustCallerID {
		p.phone, domain = p.number, ""
	}
	known := validNumber(p.phone)
	if !known {
		p.phone = ""
	}
	who := wire.Actor{Via: "telephone", From: p.from()}
	accounts, err := p.m.policy.Known(ctx)
	if err != nil {
		return who, err
	}
	if !known && !(accounts && p.m.cfg.DialInAnywhere) {
		return who, notAllowed("the switch has not authenticated the telephone")
	}
	if !accounts {
		return who, nil // whether it is registered is for the request to tell
	}
	extension := p.phone
	if known && validNumber(domain) && !strings.Contains(extension, "@") {
		extension += "@" + domain
	}
	var a wire.Account
	if known {
		a, err = p.m.policy.ByExtension(ctx, extension)
	}
	switch {
	case known && err == nil && !a.PIN && p.m.cfg.DialInPIN != PINAlways:
	case known && err == nil:
		if a, err = p.pin(ctx, extension); err != nil {
			return who, err
		}
	case known && !errors.Is(err, wire.ErrNotFound):
		return who, err
	case !p.m.cfg.DialInAnywhere:
		return who, notAllowed("the telephone " + p.phone + " is no supervisor's")
	default:
		if extension, err = p.ask(ctx, fsconf.PromptFile(p.n.conf(), fsconf.PromptExtension), maxDigits, '#', tenKeys); err != nil {
			return who, err
		}
		if a, err = p.pin(ctx, extension); err != nil {
			return who, err
		}
	}
	who.Account, who.Admin = a.Name, a.Admin
	return who, nil
}

// from is where he calls from: his telephone, or the address of one that nobody
// has authenticated.
func (p *caller) from() string {
	if p.phone == "" && validNumber(strings.ReplaceAll(p.address, ":", "")) {
		return p.address
	}
	return p.phone
}

// pin asks for a PIN until it is the right one. Whether there is such an account
// sounds no different.
func (p *caller) pin(ctx context.Context, extension string) (wire.Account, error) {
	from := p.from()
	if p.phone != "" {
		from = "telephone " + p.phone
	}
	prompt := fsconf.PromptFile(p.n.conf(), fsconf.PromptPIN)
	for range pinTries {
		digits, err := p.ask(ctx, prompt, maxDigits, '#', tenKeys)
		if err != nil {
			return wire.Account{}, err
		}
		if digits == "" {
			continue // silence is no wrong PIN
		}
		// A check that has begun is finished, so that a right PIN is not left counted
		// as an attempt.
		check, over := context.WithTimeout(context.WithoutCancel(ctx), checkTime)
		a, err := p.m.policy.CheckPIN(check, extension, digits, from)
		over()
		var wait *wire.WaitError
		switch {
		case ctx.Err() != nil:
			return wire.Account{}, errHungUp
		case err == nil:
			return a, nil
		case errors.As(err, &wait):
			p.play(ctx, fsconf.PromptFile(p.n.conf(), fsconf.PromptLocked))
			return wire.Account{}, fmt.Errorf("%w: %w", errTold, notAllowed("too many wrong PINs"))
		case !errors.Is(err, wire.ErrDenied):
			return wire.Account{}, err
		}
		p.forget(ctx)
		prompt = "file_string://" + fsconf.PromptFile(p.n.conf(), fsconf.PromptPINWrong) + "!" + fsconf.PromptFile(p.n.conf(), fsconf.PromptPIN)
	}
	p.play(ctx, fsconf.PromptFile(p.n.conf(), fsconf.PromptPINWrong))
	return wire.Account{}, fmt.Errorf("%w: %w", errTold, notAllowed("the PIN was wrong"))
}

// play plays a file to the caller. He hears it, or has hung up.
func (p *caller) play(ctx context.Context, file string) {
	_ = p.oc.ExecuteWait(ctx, fsapi.Playback(soundOf(file)))
}

// ask plays a file and collects keys, up to most of them and each one of those
// that are wanted. It is "" when he pressed none, or others. What he pressed, which
// may be a PIN, is in no event and no log of the switch, and does not stay there.
func (p *caller) ask(ctx context.Context, file string, most int, terminator byte, keys string) (string, error) {
	channel := channelOf(p.oc.Channel())
	sensitive, result, invalid := fsapi.Name("sensitive_dtmf"), fsapi.Name("read_result"), fsapi.Name(varDigits+"_invalid")
	digits := ""
	sw := context.WithoutCancel(ctx) // his hanging up must not end the connection that all commands take
	_, err := p.n.sw().API(sw, fsapi.SetVars(channel, fsapi.Set{Name: sensitive, Value: fsapi.Bool(true)}))
	if err == nil {
		_, err = p.n.sw().API(sw, fsapi.ClearVars(channel, result))
	}
	if err == nil {
		err = p.oc.ExecuteWait(ctx, fsapi.GetDigits(fsapi.Digits{Sound: soundOf(file), Most: most, Timeout: digitTime, Terminator: terminator,
			Keys: keys, Silence: soundOf(noSound), Result: fsapi.Name(varDigits)}))
	}
	if err == nil {
		digits, err = p.n.sw().API(sw, fsapi.Get(channel, fsapi.Name(varDigits)))
	}
	read, rerr := p.n.sw().API(sw, fsapi.Get(channel, result))
	_, cleared := p.n.sw().API(sw, fsapi.ClearVars(channel, fsapi.Name(varDigits), invalid, sensitive))
	if ctx.Err() != nil || errors.Is(err, esl.ErrClosed) || isRefusal(cleared) {
		return "", errHungUp
	}
	if err = errors.Join(err, rerr, cleared); err != nil {
		return "", fault.Wrap(fault.SwitchTimeout, "dial in", err)
	}
	if strings.TrimSpace(read) == "_undef_" {
		return "", fault.New(fault.SwitchTimeout, "dial in", "a prompt could not be played: 'livemon fsconf install' puts them where the switch looks")
	}
	// Too few keys are kept although they do not match.
	if digits = strings.TrimSpace(digits); len(digits) > most || strings.Trim(digits, keys) != "" {
		return "", nil
	}
	return digits, nil
}

// forget takes back what he has pressed too much: it would answer the next question.
func (p *caller) forget(ctx context.Context) { _ = p.oc.ExecuteWait(ctx, fsapi.FlushDTMF()) }

// nodeOf finds the node that a channel is on. Its events may still be on their
// way; nothing but the tracker says when they have come.
func (m *Monitor) nodeOf(ctx context.Context, channel string) *node {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for {
		for _, n := range m.nodes {
			n.mu.Lock()
			_, ok := n.tracker.Leg(channel)
			n.mu.Unlock()
			if ok {
				return n
			}
		}
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil
		}
	}
}
