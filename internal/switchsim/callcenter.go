package switchsim

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

const defaultQueue = "support@default"

var (
	fromCCAdd    = origin{"mod_callcenter.c", "cc_agent_add", 915}
	fromCCUpdate = origin{"mod_callcenter.c", "cc_agent_update", 1067}
	fromCCQueue  = origin{"mod_callcenter.c", "callcenter_function", 3113}
	fromCCCount  = origin{"mod_callcenter.c", "cc_queue_count", 878}
	fromCCCall   = origin{"mod_callcenter.c", "outbound_agent_thread_run", 1717}
)

// How long mod_callcenter takes.
const (
	offerLag   = 40 * time.Millisecond  // between a caller's arrival and the offer to an agent
	releaseLag = 100 * time.Millisecond // between the end of an agent's leg and his release
)

const standbyType = "uuid-standby"

// What agents can be.
var (
	agentStates   = []string{"Idle", "Waiting", "Receiving", "In a queue call", "Reserved"}
	agentStatuses = []string{"Logged Out", "Available", onDemand, "On Break"}
)

// agent is an agent of mod_callcenter.
type agent struct {
	CCAgent
	state                           string
	statusChanged, offered, started time.Time
	ended                           time.Time
	ready                           int64  // seconds since 1970: he is offered nothing before
	uuid                            string // his leg
	answered                        int
	talk                            time.Duration
}

const onDemand = "Available (On Demand)"

// available tells whether he takes calls at all.
func (a *agent) available() bool { return a.Status == "Available" || a.Status == onDemand }

// callcenter is mod_callcenter.
type callcenter struct {
	agents []*agent
	queues []string
	count  map[string]int // callers in each queue
}

// queueCall is a call from a queue to an agent.
type queueCall struct {
	queue, uuid    string
	agent          *agent
	member, leg    *channel
	joined, called time.Time
	answered       time.Time
	over           bool
}

func newCallcenter(list []CCAgent, now time.Time) callcenter {
	c := callcenter{queues: []string{defaultQueue}, count: map[string]int{}}
	for _, a := range list {
		a.Type, a.Status = cmp.Or(a.Type, "callback"), cmp.Or(a.Status, "Available")
		if len(a.Queues) == 0 {
			a.Queues = []string{defaultQueue}
		}
		c.agents = append(c.agents, &agent{CCAgent: a, state: "Waiting", statusChanged: now})
		for _, q := range a.Queues {
			if !slices.Contains(c.queues, q) {
				c.queues = append(c.queues, q)
			}
		}
	}
	return c
}

func (c *callcenter) agent(name string) *agent {
	for _, a := range c.agents {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// ccEvent fires a callcenter::info event, about a channel if there is one.
func (s *Switch) ccEvent(ch *channel, from origin, more ...header) {
	uuid := ""
	if ch != nil {
		uuid = ch.uuid
	}
	s.fire("CUSTOM", "callcenter::info", uuid, from, func(e *event) {
		if ch != nil {
			ch.data(e)
		}
		e.headers = append(e.headers, more...)
	})
}

func (s *Switch) setAgentState(a *agent, state string) {
	a.state = state
	s.ccEvent(nil, fromCCUpdate, header{"CC-Agent", a.Name}, header{"CC-Action", "agent-state-change"}, header{"CC-Agent-State", state})
}

func (s *Switch) setAgentStatus(a *agent, status string) {
	a.Status, a.statusChanged = status, s.now
	s.ccEvent(nil, fromCCUpdate, header{"CC-Agent", a.Name}, header{"CC-Action", "agent-status-change"}, header{"CC-Agent-Status", status})
}

func (s *Switch) countMembers(queue string, change int) {
	s.cc.count[queue] = max(0, s.cc.count[queue]+change)
	s.ccEvent(nil, fromCCCount, header{"CC-Queue", queue}, header{"CC-Action", "members-count"},
		header{"CC-Count", strconv.Itoa(s.cc.count[queue])}, header{"CC-Selection", "Single-Queue"})
}

func (q *queueCall) member4() []header {
	return []header{{"CC-Member-UUID", q.uuid}, {"CC-Member-Session-UUID", q.member.uuid},
		{"CC-Member-CID-Name", q.member.p.cidName}, {"CC-Member-CID-Number", q.member.p.cidNum}}
}

func unix(t time.Time) string {
	if t.IsZero() {
		return "0"
	}
	return strconv.FormatInt(t.Unix(), 10)
}

// CallQueue lets a number call a queue of mod_callcenter, which connects it with
// an agent; it returns when they are bridged. A is the caller's leg, B the agent's.
// A standby agent without a leg gets one first, and is waited for while he is on a
// call. Any other who is not available and waiting is ErrFailed; one who is not
// ready yet, or wraps up, is waited for.
func (s *Switch) CallQueue(ctx context.Context, number, queue, agentName string) (Call, error) {
	s.lock()
	a := s.cc.agent(agentName)
	if a == nil {
		s.unlock()
		return Call{}, fmt.Errorf("%w: no agent %s", ErrFailed, agentName)
	}
	if !a.available() || a.state != "Waiting" && a.Type != standbyType {
		err := fmt.Errorf("%w: agent %s is %s, %s", ErrFailed, agentName, a.Status, a.state)
		s.unlock()
		return Call{}, err
	}
	standby := a.Type == standbyType && a.uuid == ""
	s.unlock()
	if standby {
		if _, err := s.Standby(ctx, agentName); err != nil {
			return Call{}, err
		}
	}
	s.lock()
	if queue = cmp.Or(queue, defaultQueue); !strings.Contains(queue, "@") {
		queue += "@default"
	}
	name, _, _ := strings.Cut(queue, "@")
	m := s.inbound(number, "q-"+name)
	q := &queueCall{queue: queue, uuid: newUUID(), agent: a, member: m, joined: s.now}
	m.queue = q
	s.joinQueue(q)
	s.unlock()
	c := Call{A: m.uuid}
	err := s.until(ctx, m, number+" calls "+queue, func() bool {
		if q.leg != nil && m.bridge != nil && m.bridge.up {
			c.B = q.leg.uuid
		}
		return c.B != ""
	})
	return c, err
}

func (s *Switch) joinQueue(q *queueCall) {
	m := q.member
	s.answer(m)
	a := &app{step: step{app: "callcenter", data: q.queue, id: newUUID()}, ch: m}
	m.apps = append(m.apps, a)
	m.set("current_application", a.app)
	m.set("current_application_data", a.data)
	s.tell(m, "CHANNEL_EXECUTE", fromExec, a.headers(false)...)
	for _, v := range []header{{"cc_side", "member"}, {"cc_member_uuid", q.uuid}, {"cc_queue_joined_epoch", unix(s.now)}, {"cc_queue", q.queue}} {
		m.set(v.name, v.value)
	}
	s.ccEvent(m, fromCCQueue, append([]header{{"CC-Queue", q.queue}, {"CC-Action", "member-queue-start"}}, q.member4()...)...)
	s.countMembers(q.queue, 1)
	s.dispatch(q)
}

func (s *Switch) offer(q *queueCall) {
	if q.member.dead {
		s.releaseAgent(q)
		return
	}
	a := q.agent
	q.called = s.now
	s.ccEvent(nil, fromCCCall, append([]header{{"CC-Queue", q.queue}, {"CC-Action", "agent-offering"}, {"CC-Agent", a.Name},
		{"CC-Agent-Type", a.Type}, {"CC-Agent-System", "single_box"}}, q.member4()...)...)
	if a.Type == standbyType {
		s.offerStandby(q)
		return
	}
	vars := []header{{"cc_queue", q.queue}, {"cc_queue_joined_epoch", unix(q.joined)}, {"cc_member_uuid", q.uuid},
		{"cc_member_session_uuid", q.member.uuid}, {"cc_agent", a.Name}, {"cc_agent_type", a.Type}, {"cc_side", "agent"},
		{"origination_caller_id_name", q.member.p.cidName}, {"origination_caller_id_number", q.member.p.cidNum}}
	vars = append(vars, q.member.exports("cc_export_vars")...)
	q.leg = s.dial(nil, a.Contact, vars, 60*time.Second, func(leg *channel, _ string) {
		if leg == nil || q.member.dead {
			s.hangup(q.member, "NO_ANSWER")
			if leg != nil {
				s.hangup(leg, "ORIGINATOR_CANCEL")
			}
			s.releaseAgent(q)
			return
		}
		s.connectAgent(q, leg)
	})
	if q.leg != nil {
		q.leg.queue = q
	}
}

func (s *Switch) connectAgent(q *queueCall, leg *channel) {
	a, m := q.agent, q.member
	q.leg = leg
	s.announceAgent(q)
	s.after(legLag, func() {
		if m.dead || leg.dead {
			s.hangup(m, "")
			s.hangup(leg, "")
			return
		}
		for len(m.apps) > 0 {
			s.drop(m)
		}
		m.state, m.stateNum = "SOFT_EXECUTE", channelStates["SOFT_EXECUTE"]
		s.startBridge(m, leg)
		a.uuid = leg.uuid
		s.inQueueCall(q)
	})
}

// announceAgent tells that the agent's leg is there.
func (s *Switch) announceAgent(q *queueCall) {
	a, m, leg := q.agent, q.member, q.leg
	q.answered = s.now
	head := []header{{"CC-Queue", q.queue}, {"CC-Action", "bridge-agent-start"}, {"CC-Agent", a.Name}, {"CC-Agent-System", "single_box"},
		{"CC-Agent-UUID", leg.uuid}, {"CC-Agent-Called-Time", unix(q.called)}, {"CC-Agent-Answered-Time", unix(q.answered)}, {"CC-Member-Joined-Time", unix(q.joined)}}
	s.ccEvent(leg, fromCCCall, append(head, q.member4()...)...)
	s.countMembers(q.queue, -1)
	m.set("cc_agent_uuid", leg.uuid)
	m.set("cc_cause", "answered")
}

// inQueueCall is a caller's being connected with his agent.
func (s *Switch) inQueueCall(q *queueCall) {
	a, m := q.agent, q.member
	for _, ch := range []*channel{m, q.leg} {
		ch.set("cc_agent", a.Name)
		ch.set("cc_agent_bridged", "true")
	}
	m.set("cc_queue_answered_epoch", unix(s.now))
	a.started, a.answered = s.now, a.answered+1
	s.setAgentState(a, "In a queue call")
}

// queueLegGone releases the agent of a queue's call once his leg is gone. While
// he is in a conference he stays in the call.
func (s *Switch) queueLegGone(ch *channel) {
	q := ch.queue
	if q == nil || q.over {
		return
	}
	if ch == q.member && q.answered.IsZero() && q.leg != nil {
		s.hangup(q.leg, "ORIGINATOR_CANCEL") // it rings for nobody
		return
	}
	if ch != q.leg || q.answered.IsZero() {
		return
	}
	s.after(releaseLag, func() { s.endQueueCall(q) })
}

func (s *Switch) endQueueCall(q *queueCall) {
	if q.over {
		return
	}
	a := q.agent
	head := []header{{"CC-Queue", q.queue}, {"CC-Action", "bridge-agent-end"}, {"CC-Hangup-Cause", "SUCCESS"}, {"CC-Agent", a.Name},
		{"CC-Agent-System", "single_box"}, {"CC-Agent-UUID", q.leg.uuid}, {"CC-Agent-Bridged", "true"}, {"CC-Agent-Called-Time", unix(q.called)},
		{"CC-Agent-Answered-Time", unix(q.answered)}, {"CC-Member-Joined-Time", unix(q.joined)}, {"CC-Bridge-Terminated-Time", unix(s.now)}}
	s.ccEvent(q.leg, fromCCCall, append(head, q.member4()...)...)
	tail := []header{{"CC-Queue", q.queue}, {"CC-Action", "member-queue-end"}, {"CC-Hangup-Cause", "SUCCESS"}, {"CC-Cause", "Terminated"},
		{"CC-Agent", a.Name}, {"CC-Agent-System", "single_box"}, {"CC-Agent-UUID", q.leg.uuid}, {"CC-Agent-Called-Time", unix(q.called)},
		{"CC-Agent-Answered-Time", unix(q.answered)}, {"CC-Member-Leaving-Time", unix(s.now)}, {"CC-Member-Joined-Time", unix(q.joined)}}
	s.ccEvent(q.member, fromCCCall, append(tail, q.member4()...)...)
	a.ended = s.now
	if a.Type != standbyType {
		a.uuid = ""
	}
	a.talk += s.now.Sub(a.started)
	s.releaseAgent(q)
}

func (s *Switch) releaseAgent(q *queueCall) {
	if q.over {
		return
	}
	q.over = true
	if q.answered.IsZero() {
		s.countMembers(q.queue, -1)
	}
	state := "Waiting"
	if q.agent.Status == onDemand && !q.answered.IsZero() {
		state = "Idle"
	}
	s.setAgentState(q.agent, state)
}

// apiCallcenter is callcenter_config.
func (s *Switch) apiCallcenter(arg string) string {
	args := append(fields(arg, 6), make([]string, 6)...)
	switch what := args[0] + " " + args[1]; what {
	case "agent list":
		return s.listAgents(args[2])
	case "queue list":
		out := queueColumns
		for _, q := range s.cc.queues {
			out += q + "|longest-idle-agent|local_stream://moh|system|false|300|true|false|60|false|0|0|5||0|0|0|true|On Break\n"
		}
		return out + "+OK\n"
	case "tier list":
		out := ""
		for _, a := range s.cc.agents {
			for _, q := range a.Queues {
				out += q + "|" + a.Name + "|Ready|1|1\n"
			}
		}
		if out != "" {
			out = "queue|agent|state|level|position\n" + out
		}
		return out + "+OK\n"
	case "agent add":
		switch {
		case args[3] == "":
			return "-ERR Invalid!\n"
		case s.cc.agent(args[2]) != nil:
			return "-ERR Agent already exist!\n"
		}
		s.cc.agents = append(s.cc.agents, &agent{CCAgent: CCAgent{Name: args[2], Type: args[3], Status: "Logged Out"}, state: "Waiting", statusChanged: s.now})
		s.ccEvent(nil, fromCCAdd, header{"CC-Agent", args[2]}, header{"CC-Agent-Type", args[3]}, header{"CC-Action", "agent-add"})
		return "+OK\n"
	case "agent del":
		s.cc.agents = slices.DeleteFunc(s.cc.agents, func(a *agent) bool { return a.Name == args[2] })
		return "+OK\n"
	case "agent set":
		return s.setAgent(args[2], args[3], args[4])
	case "tier add":
		a := s.cc.agent(args[3])
		switch {
		case a == nil:
			return "-ERR Agent not found!\n"
		case !slices.Contains(s.cc.queues, args[2]):
			return "-ERR Queue not found!\n"
		case slices.Contains(a.Queues, args[2]):
			return "-ERR Tier already exist!\n"
		}
		a.Queues = append(a.Queues, args[2])
		return "+OK\n"
	}
	return "-ERR Invalid!\n"
}

func (s *Switch) setAgent(key, name, value string) string {
	a := s.cc.agent(name)
	switch {
	case key == "" || name == "" || value == "":
		return "-ERR Invalid!\n"
	case a == nil:
		return "-ERR Agent not found!\n"
	}
	switch key {
	case "status":
		if !slices.Contains(agentStatuses, value) {
			return "-ERR Invalid Agent Status!\n"
		}
		s.setAgentStatus(a, value)
	case "state":
		if !slices.Contains(agentStates, value) {
			return "-ERR Invalid Agent State!\n"
		}
		s.setAgentState(a, value)
	case "uuid":
		a.uuid = value
	case "ready_time":
		a.ready, _ = strconv.ParseInt(value, 10, 64) // what is no number is 0, as to the switch
	case "contact":
		a.Contact = value
		s.ccEvent(nil, fromCCUpdate, header{"CC-Agent", a.Name}, header{"CC-Action", "agent-contact-change"}, header{"CC-Agent-Contact", value})
	case "type":
		a.Type = value
	case "wrap_up_time":
		n, _ := strconv.Atoi(value)
		a.WrapUp = time.Duration(n) * time.Second
	default:
		return "-ERR Invalid Agent Update KEY!\n"
	}
	return "+OK\n"
}

const queueColumns = "name|strategy|moh_sound|time_base_score|tier_rules_apply|tier_rule_wait_second|tier_rule_wait_multiply_level|" +
	"tier_rule_no_agent_no_wait|discard_abandoned_after|abandoned_resume_allowed|max_wait_time|max_wait_time_with_no_agent|" +
	"max_wait_time_with_no_agent_time_reached|record_template|calls_answered|calls_abandoned|ring_progressively_delay|" +
	"skip_agents_with_external_calls|agent_no_answer_status\n"

const agentColumns = "name|instance_id|uuid|type|contact|status|state|max_no_answer|wrap_up_time|reject_delay_time|busy_delay_time|" +
	"no_answer_delay_time|last_bridge_start|last_bridge_end|last_offered_call|last_status_change|no_answer_count|calls_answered|" +
	"talk_time|ready_time|external_calls_count\n"

func (s *Switch) listAgents(name string) string {
	out := ""
	for _, a := range s.cc.agents {
		if name != "" && a.Name != name {
			continue
		}
		row := []string{a.Name, "single_box", a.uuid, a.Type, a.Contact, a.Status, a.state, "0", strconv.Itoa(int(a.WrapUp / time.Second)), "0", "0", "0",
			unix(a.started), unix(a.ended), unix(a.offered), unix(a.statusChanged), "0", strconv.Itoa(a.answered),
			strconv.Itoa(int(a.talk / time.Second)), strconv.FormatInt(a.ready, 10), "0"}
		out += strings.Join(row, "|") + "\n"
	}
	if out != "" {
		out = agentColumns + out
	}
	return out + "+OK\n"
}
