package conformance

import (
	"sync"
	"time"
)

// outcome is how one fact came out on one switch.
type outcome struct {
	err   error
	lack  string // what the switch lacks
	notes []string
	took  time.Duration
}

// tally is what a run of the suite found.
type tally struct {
	mu              sync.Mutex
	version         string
	began           time.Time
	real, simulated map[string]outcome
}

var results = &tally{real: map[string]outcome{}, simulated: map[string]outcome{}}

func (r *tally) begin(version string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.version, r.began = version, time.Now()
}

func (r *tally) add(real bool, name string, notes []string, err error, took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	to := r.simulated
	if real {
		to = r.real
	}
	to[name] = outcome{err: err, notes: notes, took: took}
}

func (r *tally) skip(name, lack string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.real[name] = outcome{lack: lack}
}
