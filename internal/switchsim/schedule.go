package switchsim

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// maxTasks bounds what commands may schedule.
const maxTasks = 10_000

var (
	fromSchedAdd = origin{"switch_scheduler.c", "switch_scheduler_add_task_ex", 273}
	fromSchedDel = origin{"switch_scheduler.c", "task_thread_loop", 160}
	fromSchedRe  = origin{"switch_scheduler.c", "switch_scheduler_execute", 73}
)

// scheduled is a command that is run later.
type scheduled struct {
	id          uint64
	group, line string
	due         time.Time
	every       time.Duration // again and again, if it is not 0
	task        *task
}

const schedUsage = "-ERR Invalid syntax. USAGE: [+@]<time> <group_name> <command_string>[&]\n"

// apiSchedule is sched_api.
func (s *Switch) apiSchedule(arg string) string {
	at, rest, ok1 := strings.Cut(arg, " ")
	group, line, ok2 := strings.Cut(rest, " ")
	if !ok1 || !ok2 || at == "" {
		return schedUsage
	}
	unit := s.opt.Lags.second()
	job := &scheduled{group: group, line: strings.TrimSuffix(line, "&")}
	switch at[0] {
	case '+':
		job.due = s.fullSecond().Add(time.Duration(leadingInt(at[1:])) * unit)
	case '@':
		job.every = time.Duration(leadingInt(at[1:])) * unit
		job.due = s.fullSecond().Add(job.every)
	default:
		n, _ := strconv.ParseInt(at, 10, 64)
		job.due = s.now.Add(time.Duration(min(max(n-s.now.Unix(), 0), 1<<30)) * unit)
	}
	if len(s.scheduled) >= maxTasks {
		return schedUsage
	}
	s.schedules++
	job.id = s.schedules
	s.scheduled = append(s.scheduled, job)
	s.schedEvent("ADD_SCHEDULE", job, fromSchedAdd)
	s.waitFor(job)
	return "+OK Added: " + strconv.FormatUint(job.id, 10) + "\n"
}

// fullSecond is the beginning of this second: the scheduler knows no other times.
func (s *Switch) fullSecond() time.Time { return s.now.Truncate(s.opt.Lags.second()) }

// waitFor runs a job when its time has come and the scheduler looks again, which it
// does twice a second.
func (s *Switch) waitFor(job *scheduled) {
	look := s.opt.Lags.second() / 2
	wait := job.due.Sub(s.now)
	if over := job.due.Sub(s.started) % look; over > 0 {
		wait += look - over
	}
	job.task = s.after(max(wait, time.Millisecond), func() {
		s.api(job.line, func(string) {})
		if job.every > 0 {
			job.due = s.fullSecond().Add(job.every)
			s.schedEvent("RE_SCHEDULE", job, fromSchedRe)
			s.waitFor(job)
			return
		}
		s.unschedule(func(other *scheduled) bool { return other == job })
	})
}

// unschedule takes jobs out, and returns how many.
func (s *Switch) unschedule(which func(*scheduled) bool) int {
	n := 0
	s.scheduled = slices.DeleteFunc(s.scheduled, func(job *scheduled) bool {
		if !which(job) {
			return false
		}
		n++
		s.forget(job.task)
		s.schedEvent("DEL_SCHEDULE", job, fromSchedDel)
		return true
	})
	return n
}

func (s *Switch) schedEvent(name string, job *scheduled, from origin) {
	s.fire(name, "", "", from, func(e *event) {
		e.add("Task-ID", strconv.FormatUint(job.id, 10))
		e.add("Task-Desc", "sched_api_function")
		e.add("Task-Group", job.group)
		e.add("Task-Runtime", unix(job.due))
	})
}

// apiSchedDel is sched_del: by number, or all of a group.
func (s *Switch) apiSchedDel(arg string) string {
	n := 0
	switch id, err := strconv.ParseUint(arg, 10, 64); {
	case arg == "":
		return "-ERR Invalid syntax\n"
	case err == nil:
		n = s.unschedule(func(job *scheduled) bool { return job.id == id })
	default:
		n = s.unschedule(func(job *scheduled) bool { return job.group == arg })
	}
	return "+OK Deleted: " + strconv.Itoa(n) + "\n"
}

// apiUnsched is unsched_api.
func (s *Switch) apiUnsched(arg string) string {
	id := uint64(leadingInt(arg))
	if arg == "" {
		return "-ERR Invalid syntax. USAGE: <task_id>\n"
	}
	if id != 0 && s.unschedule(func(job *scheduled) bool { return job.id == id }) > 0 {
		return ok
	}
	return "-ERR No such id\n"
}
