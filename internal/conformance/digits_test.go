package conformance

import (
	"strings"
	"time"

	"livemon/internal/fsapi"
)

// answer is the variable that play_and_get_digits puts the keys into.
const answer = "livemon_conformance_digits"

var digitFacts = []fact{
	{name: "digits",
		claim: "`play_and_get_digits` takes keys from the first one on, also while the prompt plays; its CHANNEL_EXECUTE_COMPLETE has them, `read_result` and `read_terminator_used`.",
		check: func(c *check) {
			l := c.parked("caller")
			for _, q := range []struct {
				least, most, regex, keys string
				late                     bool
				want                     string // digits, invalid digits, read_result, terminator
			}{
				{"1", "8", `^\d+$`, "1234#", false, "1234  success #"},
				{"1", "8", `^\d+$`, "1234#", true, "1234  success #"},
				{"1", "8", `^\d+$`, "1234", false, "1234  timeout "},
				{"1", "8", `^\d+$`, "", false, "  failure "},
				{"1", "8", `^\d+$`, "#", false, "  failure #"},
				{"1", "8", `^\d+$`, "12*4#", false, " 12*4 success #"},
				{"1", "1", `^[*]$`, "*", true, "*  success "},
				{"1", "1", `^[*]$`, "5", false, " 5 success "},
			} {
				got := c.ask(l, q.least+" "+q.most+" 1 1000 # silence_stream://1000 silence_stream://20 "+answer+" "+q.regex, q.keys, q.late)
				c.want(got == q.want, "%q, late %t: %q, not %q", q.keys, q.late, got, q.want)
			}
		}},
	{name: "digits-too-few",
		claim: "Too few keys stay in the variable all the same, unlooked at by the regular expression; only `read_result` says failure.",
		check: func(c *check) {
			got := c.ask(c.parked("caller"), `4 8 1 1000 # silence_stream://1000 silence_stream://20 `+answer+` ^\d+$`, "1*#", false)
			c.want(got == "1*  failure #", "%q", got)
		}},
	{name: "digits-no-prompt",
		claim: "With a prompt that cannot be played it ends at once, without a `read_result`.",
		check: func(c *check) {
			began := time.Now()
			got := c.ask(c.parked("caller"), `1 8 1 5000 # /no/such/`+c.id+`.wav silence_stream://20 `+answer+` ^\d+$`, "", false)
			c.want(got == "   ", "%q", got)
			c.want(time.Since(began) < 4*time.Second, "it took %v", time.Since(began))
		}},
	{name: "digits-sensitive",
		claim: "With `sensitive_dtmf=true` on the leg its keys are no DTMF events and do not stand in `digits_dialed`; the variables with a PIN are gone after `uuid_setvar_multi` with empty values.",
		check: func(c *check) {
			l := c.parked("caller")
			const question = `1 8 1 1000 # silence_stream://1000 silence_stream://20 ` + answer + ` ^\d+$`
			c.ok("uuid_setvar %s sensitive_dtmf true", l.uuid)
			at := c.events.now()
			c.want(c.ask(l, question, "1234#", false) == "1234  success #", "the keys did not arrive")
			c.want(c.ask(l, question, "12*#", false) == " 12* success #", "the keys did not arrive")
			c.ok("uuid_setvar_multi %s %[2]s=;%[2]s_invalid=;sensitive_dtmf=", l.uuid, answer)
			c.want(c.variable(l, answer) == "" && c.variable(l, answer+"_invalid") == "", "they are still there")
			c.want(c.fired(l, at) == "", "events told of %q", c.fired(l, at))
			at = c.events.now()
			c.must(l.Press(c.ctx, "7", 0))
			c.await(at, "event=DTMF", "Unique-ID="+l.uuid, "DTMF-Digit=7")
			c.must(l.Hangup(c.ctx))
			e := c.await(at, "event=CHANNEL_HANGUP_COMPLETE", "Unique-ID="+l.uuid)
			c.want(e.Get("variable_digits_dialed") == "7" && e.Get("variable_"+answer) == "", "after the call: digits_dialed %q, digits %q", e.Get("variable_digits_dialed"), e.Get("variable_"+answer))
		}},
	{name: "digits-cut-off",
		claim: "When the caller hangs up between two keys, those that he has pressed are in the variable of CHANNEL_HANGUP_COMPLETE.",
		check: func(c *check) {
			l := c.parked("caller")
			at := c.events.now()
			c.must(c.client.Execute(c.ctx, channelOf(l.uuid), fsapi.UncheckedApp("play_and_get_digits", `1 8 1 9000 # silence_stream://1000 silence_stream://20 `+answer+` ^\d+$`)))
			c.await(at, "event=CHANNEL_EXECUTE", "Application=play_and_get_digits", "Unique-ID="+l.uuid)
			c.must(l.Press(c.ctx, "12", 60*time.Millisecond))
			c.await(at, "event=DTMF", "DTMF-Digit=2", "Unique-ID="+l.uuid)
			c.must(l.Hangup(c.ctx))
			e := c.await(at, "event=CHANNEL_HANGUP_COMPLETE", "Unique-ID="+l.uuid)
			c.want(e.Get("variable_"+answer) == "12", "%q", e.Get("variable_"+answer))
		}},
}

// ask has a parked leg execute play_and_get_digits and presses keys, at once or after
// the prompt. It returns what the completion says: the digits, those that were not
// accepted, read_result and read_terminator_used.
func (c *check) ask(l *leg, question, keys string, late bool) string {
	c.ok("uuid_setvar_multi %s read_terminator_used=;read_result=;%s=;%s_invalid=", l.uuid, answer, answer)
	at := c.events.now()
	c.must(c.client.Execute(c.ctx, channelOf(l.uuid), fsapi.UncheckedApp("play_and_get_digits", question)))
	c.await(at, "event=CHANNEL_EXECUTE", "Application=play_and_get_digits", "Unique-ID="+l.uuid)
	c.pause(map[bool]time.Duration{false: 200 * time.Millisecond, true: 1300 * time.Millisecond}[late])
	if keys != "" {
		c.must(l.Press(c.ctx, keys, 60*time.Millisecond))
	}
	e := c.await(at, "event=CHANNEL_EXECUTE_COMPLETE", "Application=play_and_get_digits", "Unique-ID="+l.uuid)
	return strings.Join([]string{e.Get("variable_" + answer), e.Get("variable_" + answer + "_invalid"), e.Get("variable_read_result"), e.Get("variable_read_terminator_used")}, " ")
}
