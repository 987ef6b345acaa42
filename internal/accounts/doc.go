// Package accounts is who may do what, as a service: accounts and teams, logins,
// PINs, tokens and lock-outs over the state store, and the rights that package
// access decides about.
//
// It knows no switch, no call and no HTTP. It does not end what a right that
// was taken away had allowed: it tells that rights have changed (Changed), and
// whoever carries a session asks again (Allowed).
//
// What it guarantees:
//
//   - Passwords and PINs are kept as argon2id hashes only, tokens and logins as
//     SHA-256 of random values of more than 250 bits. None of them, nor a hash,
//     is in a log, an error, a record or a listing.
//   - Hashing is bounded in how much runs and how much waits, so that logins can
//     exhaust neither memory nor processors. A name that nobody has, a disabled
//     account and a wrong password give the same answer at the same cost.
//   - Each attempt is counted before it is checked, in the store: over all
//     controllers, over restarts, and however many are made at the same time.
//   - Whatever is changed is recorded in the audit stream before it is changed.
//   - A changed right counts everywhere at once: every controller waits for
//     changes. What is known is read anew from time to time even so, and is
//     confirmed with the store before anything new is allowed, if that was not
//     done within the last seconds.
//   - While the store is away nothing new is allowed (fault.StoreUnavailable),
//     and what was known last counts for what is going on: see Service.Allowed.
package accounts
