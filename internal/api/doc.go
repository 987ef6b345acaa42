// Package api serves a wire.Service over HTTP and JSON, and is the client of
// that service. The contract is openapi.yaml, which is embedded, served, and
// held against the code by a test.
//
// It keeps no state of its own and decides nothing about calls: it checks who
// asks, checks what is asked, calls the service through a guard.Guard, which shows
// an account what it may see, and encodes what comes back. Whether somebody may do
// what he asks for is the service's to decide.
//
// It guarantees that
//   - nothing but /healthz is answered without a bearer token, compared in constant
//     time, or a login that ServerOptions.Login knows; and a request that a foreign
//     web page caused is refused even with it;
//   - who is behind a proxy that is trusted is known by his own address, and nobody
//     else by one that he claims;
//   - an event stream ends with the token or login that it was opened with, and shows
//     what its reader may see now;
//   - a request is decoded completely and checked before the service sees any of
//     it: unknown, repeated or misspelt fields and parameters, control characters
//     and oversized values are refused and nothing has changed;
//   - every failure is a wire.Error with livemon's code where there is one, and
//     holds neither a cause nor a secret; the cause goes to the log, under the
//     request's id;
//   - memory and goroutines are bounded: bodies, headers, event streams, long polls
//     and the time each may take;
//   - a panic in a handler ends that request only.
package api
