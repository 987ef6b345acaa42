package api

import "io"

// RouteTable lists the routes of the mux, as "GET /v1/agents".
func RouteTable() []string {
	var out []string
	for _, r := range routes() {
		out = append(out, r.method+" "+r.path)
	}
	return out
}

// RouteQuery returns the parameters that a route takes.
func RouteQuery(route string) []string {
	for _, r := range routes() {
		if r.method+" "+r.path == route {
			return r.query
		}
	}
	return nil
}

// ReadEvents is the client's parser of event streams.
func ReadEvents(r io.Reader, event func(string, []byte) error) error {
	return readEvents(r, func() {}, event)
}

// Decode is the server's decoder of bodies.
func Decode(body []byte, dst any) error { return decodeObject(body, dst) }

// MaxWaiting is the number of requests that may wait at a time.
const MaxWaiting = maxWaiting

// MaxWaitingOf is the number of those that may be one account's.
const MaxWaitingOf = maxWaitingOf

// SameAgent is how the event streams tell that nothing about an agent has changed.
var SameAgent = sameAgent
