package monitor

import (
	"context"
	"strings"
	"time"

	"livemon/internal/fsapi"
)

// endOther does with one party's leg what the end of the bridge would have done
// when the other party hung up: its own variables say where it goes, and a leg
// without any is hung up. In a room none of that happens by itself.
//
// It is done once: until the leg is seen to have gone there, its variables say no
// more where to.
func (c *call) endOther(ctx context.Context, channel string) {
	if wait := letGoTime - time.Since(c.letGo[channel]); wait > 0 {
		c.lookAgain(wait)
		return
	}
	line, err := c.afterBridge(ctx, channel)
	if err == nil {
		_, err = c.api(ctx, line)
	}
	if err != nil && !isRefusal(err) {
		c.log.Warn("the call's other party could not be let go as the bridge would have", "channel", channel, "error", err)
		c.lookAgain(time.Second)
		return
	}
	if c.letGo == nil {
		c.letGo = map[string]time.Time{}
	}
	c.letGo[channel] = time.Now()
	c.lookAgain(letGoTime)
}

// letGoTime is how long a leg may take to go where it was sent. It is hung up then.
const letGoTime = time.Second

// afterBridge is the command that does to a leg what follows its bridge, in the
// order of precedence that the switch has.
func (c *call) afterBridge(ctx context.Context, channel string) (fsapi.Line, error) {
	leg := channelOf(channel)
	get := func(name string) (string, error) {
		v, err := c.api(ctx, fsapi.Get(leg, fsapi.Name(name)))
		if v = strings.TrimSpace(v); v == "_undef_" {
			v = ""
		}
		return v, err
	}
	var vars [4]string
	for i, name := range []string{"park_after_bridge", "transfer_after_bridge", "exec_after_bridge_app", "exec_after_bridge_arg"} {
		v, err := get(name)
		if err != nil {
			return fsapi.Line{}, err
		}
		vars[i] = v
	}
	hangUp := fsapi.Kill(leg)
	switch park, transfer, app := vars[0], vars[1], vars[2]; {
	case isTrue(park):
		return fsapi.ParkChannel(leg), nil
	case transfer != "":
		to, ok := afterTransfer(transfer)
		if !ok {
			c.log.Warn("where the call's other party is to go after the bridge is not understood: it is hung up", "channel", channel, "transfer_after_bridge", short(transfer))
			return hangUp, nil
		}
		// The switch takes it away too, so that the next bridge does not go there again.
		if _, err := c.api(ctx, fsapi.Unset(leg, fsapi.Name("transfer_after_bridge"))); err != nil {
			return fsapi.Line{}, err
		}
		return fsapi.TransferTo(leg, to), nil
	case app != "":
		then, err := fsapi.ParseApp(app, vars[3])
		if err != nil {
			c.log.Warn("what the call's other party is to execute after the bridge is not understood: it is hung up", "channel", channel, "app", short(app))
			return hangUp, nil
		}
		return fsapi.Transfer(leg, then), nil
	}
	return hangUp, nil
}

// afterTransfer is where transfer_after_bridge sends a leg.
func afterTransfer(value string) (fsapi.Extension, bool) {
	fields, ok := splitQuoted(value, ':')
	if !ok || len(fields) > 3 {
		return fsapi.Extension{}, false
	}
	fields = append(fields, "", "")
	to, err := fsapi.ParseExtension(fields[0], fields[1], fields[2])
	return to, err == nil
}

// splitQuoted splits a value as the switch does: what stands in single quotes
// is not divided. What would need an escape is not understood.
func splitQuoted(s string, sep byte) (fields []string, ok bool) {
	if strings.ContainsAny(s, `"\`) || strings.Count(s, "'")%2 != 0 {
		return nil, false
	}
	quoted := false
	field := []byte{}
	for i := range len(s) {
		switch ch := s[i]; {
		case ch == '\'':
			quoted = !quoted
		case ch == sep && !quoted:
			fields, field = append(fields, string(field)), nil
		default:
			field = append(field, ch)
		}
	}
	return append(fields, string(field)), true
}

// isTrue tells whether the switch takes a variable's value for true.
func isTrue(v string) bool {
	switch strings.ToLower(v) {
	case "yes", "on", "true", "t", "enabled", "active", "allow":
		return true
	}
	return v != "" && v != "0" && strings.Trim(v, "0123456789") == "" && strings.Trim(v, "0") != ""
}
