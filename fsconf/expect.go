package fsconf

import (
	"fmt"
	"strings"
)

// profileProblems compares the profile that mod_conference would use with what
// livemon needs. conf is the conference.conf, nil if there is none.
func profileProblems(conf *node, s Settings) []string {
	p := lookup(conf, "profiles", "profile", Profile)
	if p == nil {
		return []string{`there is no profile "` + Profile + `"`}
	}
	have := map[string]string{}
	for _, c := range p.all("param") {
		// The switch takes '_' for '-', ignores case, and lets the last one win.
		have[strings.ToLower(strings.ReplaceAll(c.attr("name"), "_", "-"))] = c.attr("value")
	}
	var out []string
	for _, want := range profileParams(s) {
		if got, ok := have[want.Name]; !ok {
			out = append(out, fmt.Sprintf("%s is missing", want.Name))
		} else if got != want.Value {
			out = append(out, fmt.Sprintf("%s is %q, not %q", want.Name, clip(got), want.Value))
		}
		delete(have, want.Name)
	}
	for _, c := range p.all("param") {
		name := strings.ToLower(strings.ReplaceAll(c.attr("name"), "_", "-"))
		if v, ok := have[name]; ok {
			out = append(out, fmt.Sprintf("%s is set, to %q", clip(name), clip(v)))
			delete(have, name)
		}
	}
	return out
}

// controlsProblems compares the supervisor's keys in the same way. When it is
// lenient, keys that a room can do without may be missing, and where no regular
// expression delays them the sequences may be bound as they are: so they were
// before unknown ones were reported.
func controlsProblems(conf *node, s Settings, lenient bool) []string {
	g := lookup(conf, "caller-controls", "group", Controls)
	if g == nil {
		return []string{`there is no group "` + Controls + `"`}
	}
	have := map[control]bool{}
	plain := lenient
	var out []string
	for _, n := range g.all("control") {
		c := control{n.attr("digits"), n.attr("data")}
		if !strings.EqualFold(n.attr("action"), "event") {
			out = append(out, fmt.Sprintf("%s does %q", clip(c.Digits), clip(n.attr("action"))))
			continue
		}
		have[c] = true
		plain = plain && !strings.HasPrefix(strings.TrimPrefix(c.Digits, atOnce), expression)
	}
	for _, want := range s.Keys.controls() {
		bare := control{strings.TrimPrefix(want.Digits, atOnce), want.Data}
		if !have[want] && !(plain && have[bare]) && !(lenient && optional(want.Data)) {
			out = append(out, fmt.Sprintf("%s does not ask for %s", want.Digits, want.Data))
		}
		delete(have, want)
		if plain {
			delete(have, bare)
		}
	}
	for _, n := range g.all("control") {
		if c := (control{n.attr("digits"), n.attr("data")}); have[c] {
			out = append(out, fmt.Sprintf("%s asks for %q", clip(c.Digits), clip(c.Data)))
			delete(have, c)
		}
	}
	return out
}

// lookup finds list/item by name the way mod_conference does: in the first
// list there is, the first of that name in any case.
func lookup(conf *node, list, item, name string) *node {
	if conf == nil {
		return nil
	}
	l := conf.child(list)
	if l == nil {
		return nil
	}
	for _, n := range l.all(item) {
		if strings.EqualFold(n.attr("name"), name) {
			return n
		}
	}
	return nil
}

// findContext returns the dialplan context of that name. root is the whole
// document, or the context itself as xml_locate answers it.
func findContext(root *node, name string) *node {
	isContext := func(n *node) bool {
		return n.name == "context" && strings.EqualFold(n.attr("name"), name)
	}
	plan := root.find(func(n *node) bool {
		return n.name == "section" && strings.EqualFold(n.attr("name"), "dialplan")
	})
	if plan == nil {
		return root.find(isContext)
	}
	return plan.find(isContext)
}

// dialInProblems compares the dial-in extension with what livemon needs.
func dialInProblems(context *node, s Settings) []string {
	if context == nil {
		return []string{`there is no context "` + s.Context + `"`}
	}
	ext := findExtension(context)
	if ext == nil {
		return []string{`there is no extension "` + dialInName + `" in context "` + s.Context + `"`}
	}
	var out []string
	cond := ext.child("condition")
	switch {
	case cond == nil || len(ext.all("condition")) != 1:
		return []string{"the extension does not have exactly one condition"}
	case cond.attr("field") != "destination_number" || cond.attr("expression") != dialInExpression(s):
		out = append(out, fmt.Sprintf("it matches %s %q, not %q",
			clip(cond.attr("field")), clip(cond.attr("expression")), dialInExpression(s)))
	}
	first := cond.child("action")
	full := fullSocket(ext, "")
	if full != "" {
		out = append(out, fullProblem(full))
	}
	switch {
	case first == nil:
		out = append(out, "it does nothing")
	case full != "" && strings.HasPrefix(first.attr("data"), socketData(s)+" "):
	case first.attr("application") != "socket" || first.attr("data") != socketData(s):
		out = append(out, fmt.Sprintf("it does %s(%s), not socket(%s)",
			clip(first.attr("application")), clip(first.attr("data")), socketData(s)))
	}
	return out
}

func findExtension(context *node) *node {
	for _, e := range context.all("extension") {
		if e.attr("name") == dialInName {
			return e
		}
	}
	return nil
}
