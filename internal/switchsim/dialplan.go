package switchsim

import (
	"encoding/xml"
	"fmt"
	"regexp"
	"strings"
)

// dialContext is a context of the XML dialplan.
type dialContext struct {
	text       string
	Name       string          `xml:"name,attr"`
	Extensions []dialExtension `xml:"extension"`
}

type dialExtension struct {
	Continue   string          `xml:"continue,attr"`
	Conditions []dialCondition `xml:"condition"`
}

type dialCondition struct {
	Field      string       `xml:"field,attr"`
	Expression string       `xml:"expression,attr"`
	Break      string       `xml:"break,attr"`
	Actions    []dialAction `xml:"action"`
	Anti       []dialAction `xml:"anti-action"`
	re         *regexp.Regexp
}

type dialAction struct {
	App    string `xml:"application,attr"`
	Data   string `xml:"data,attr"`
	Inline string `xml:"inline,attr"`
}

// parseContext reads a <context>. Expressions are Go's: those of Perl that Go has
// not got, such as look-ahead, are refused.
func parseContext(text string) (*dialContext, error) {
	c := &dialContext{text: text}
	if err := xml.Unmarshal([]byte(text), c); err != nil {
		return nil, fmt.Errorf("dialplan: %w", err)
	}
	if c.Name == "" {
		return nil, fmt.Errorf("dialplan: no <context> with a name")
	}
	for i := range c.Extensions {
		for j := range c.Extensions[i].Conditions {
			cond := &c.Extensions[i].Conditions[j]
			var err error
			if cond.re, err = regexp.Compile(cond.Expression); err != nil {
				return nil, fmt.Errorf("dialplan: context %s: %w", c.Name, err)
			}
		}
	}
	return c, nil
}

// builtIn are the contexts that the simulation has without a text: all of them
// lead to its own extensions.
func builtIn(context string) bool {
	return context == "" || context == "default" || context == "public"
}

// dialed is what a context lets a channel execute that has been sent to it. It is
// empty where there is no way, and where there is no such context.
func (s *Switch) dialed(ch *channel) []step {
	if c := s.contexts[ch.p.ctxt]; c != nil {
		if plan := s.hunt(ch, c); len(plan) > 0 {
			return plan
		}
	}
	if !builtIn(ch.p.ctxt) {
		return nil
	}
	return s.extension(ch.p.dest)
}

// hunt goes through a context as mod_dialplan_xml does.
func (s *Switch) hunt(ch *channel, c *dialContext) []step {
	var plan []step
	for _, e := range c.Extensions {
		matched := false
		for _, cond := range e.Conditions {
			var groups []string
			ok := cond.Field == "" && cond.Expression == ""
			if !ok {
				groups = cond.re.FindStringSubmatch(s.field(ch, cond.Field))
				ok = groups != nil
			}
			actions := cond.Actions
			if !ok {
				actions = cond.Anti
			}
			for _, a := range actions {
				st := step{app: a.App, data: substitute(a.Data, groups)}
				if truth(a.Inline) {
					s.inlineAction(ch, st)
					continue
				}
				plan = append(plan, st)
			}
			matched = ok
			if cond.Break == "always" || ok && cond.Break == "on-true" || !ok && (cond.Break == "" || cond.Break == "on-false") {
				break
			}
		}
		if matched && !truth(e.Continue) {
			break
		}
	}
	return plan
}

// inlineAction is done while the dialplan is gone through.
func (s *Switch) inlineAction(ch *channel, st step) {
	switch st.app {
	case "set":
		ch.assign(s.expand(ch, st.data))
	case "unset":
		ch.set(st.data, "")
	}
}

// field is what a condition looks at: a field of the caller's profile, or text with
// variables and commands in it.
func (s *Switch) field(ch *channel, name string) string {
	if strings.Contains(name, "${") {
		return s.expand(ch, name)
	}
	v, _ := s.variable(ch, name)
	return v
}

// substitute puts what an expression has found in the place of $1 to $9.
func substitute(text string, groups []string) string {
	for i := min(len(groups)-1, 9); i > 0; i-- {
		text = strings.ReplaceAll(text, fmt.Sprintf("$%d", i), groups[i])
	}
	return text
}

// expand puts values in the place of ${variable} and output in the place of
// ${command(arguments)}. What they stand for is not expanded again.
func (s *Switch) expand(ch *channel, text string) string {
	var out strings.Builder
	for {
		i := strings.Index(text, "${")
		if i < 0 {
			break
		}
		depth, end := 0, -1
		for j := i + 1; j < len(text) && end < 0; j++ {
			switch text[j] {
			case '{':
				depth++
			case '}':
				if depth--; depth == 0 {
					end = j
				}
			}
		}
		if end < 0 {
			break
		}
		out.WriteString(text[:i])
		out.WriteString(s.valueOf(ch, s.expand(ch, text[i+2:end])))
		text = text[end+1:]
	}
	out.WriteString(text)
	return out.String()
}

// valueOf is what stands for the inside of ${}. A command that takes its time is
// none here.
func (s *Switch) valueOf(ch *channel, ref string) string {
	name, args, isCommand := strings.Cut(ref, "(")
	if !isCommand || !strings.HasSuffix(args, ")") {
		v, _ := s.variable(ch, ref)
		return v
	}
	reply := ""
	s.api(name+" "+strings.TrimSuffix(args, ")"), func(r string) { reply = r })
	return reply
}
