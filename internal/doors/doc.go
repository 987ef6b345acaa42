// Package doors is a test of the whole product, and nothing else: it tries every
// door through which somebody could listen, speak, act or look without the right
// to it, and does what a burglar would do there.
//
// The service runs in this process as 'livemon serve' puts it together: a
// simulated switch, a Redis whose keys the tests can write, accounts, the
// controller, and the API and the page on one address. What is tried is judged by
// what comes of it on the switch: which commands were sent to it, and who hears
// whom in every frame.
//
// It does not test what each package does for itself; their own tests do.
package doors
