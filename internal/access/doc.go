// Package access decides who may do what to whose call, and says which rule
// refused.
//
// It is pure: it knows no store, no clock and no HTTP, and asks nobody. Whether
// what it decides from is still true is for its caller to know, see package
// accounts. It does not authenticate: that an Actor is who it says is taken for
// granted.
//
// The rules, in the order in which they are asked:
//
//  1. While there is no account at all, everything but what rule 6 forbids is
//     allowed to whoever has no account: the operator, as ever.
//  2. Once there is an account, the operator sees everything and may listen to
//     nobody, unless the configuration says so: who listens has a name.
//  3. An account that is unknown or disabled may nothing and sees nobody.
//  4. An account sees the agents of its teams and its own list, but none whose
//     extension belongs to an account of the same or a higher rank, itself
//     included. A disabled account protects its owner as before. Nor does it listen
//     to a call that such a one is on as somebody else than the agent.
//  5. To listen takes the right to listen (fault.NotAllowed). Coaching, barging
//     in and taking over each take their own right besides
//     (fault.RoleNotAllowed).
//  6. Nobody listens to agents, whichever side of a call they are on, to users'
//     numbers and to calls with a mark that are named as not to be monitored.
//
// Agents are named by patterns with * (any text) and ? (one character), which
// are held against an agent's name and extension, each with and without what
// follows the @. Letters of ASCII match in either case, as the switch finds
// users in either case.
package access
