// Package state keeps what livemon must remember outside its own process, in
// Redis: agents, calls, sessions, the audit stream, authorized extensions,
// which controller acts on which node, and supervisors' accounts, teams, tokens,
// logins and lock-outs.
//
// It decides nothing about calls: it knows neither switches nor rooms, and
// stores whatever roles and states it is given. It does not notify anybody of
// changes (but of those to rights, for which one can wait: AwaitRights), and it does not cache: every read asks Redis.
//
// What it guarantees:
//
//   - Writes to a node's data take the node's Lease and are refused, as a whole
//     and with ErrFenced, once a newer lease has been given out. The check and
//     the write are one atomic step (a script on one hash slot).
//   - At most one session of a call has a Desired role that speaks.
//   - No Desired role is stored before the audit record of the change is. A
//     crash between the two leaves a record without a change, never the reverse.
//   - Audit records make one chain of hashes, however many controllers add to it
//     and whatever crashes; a Verifier finds what was done to it afterwards. Old
//     records are only removed after a record of that.
//   - Everything but the audit stream with its head, the extensions, accounts with their teams
//     and tokens, and one counter per node expires when nobody renews it. Accounts,
//     teams, tokens and logins are bounded in number.
//   - Passwords, PINs, tokens and logins are kept as the hashes that are given;
//     no error, log or printed value holds one.
//   - What is read back is checked. Nothing in Redis can make it panic; what
//     cannot be understood is a *CorruptError, or left out of a list and logged.
//   - Names from outside (nodes, agents, calls, sessions) cannot escape their
//     key or hash field, whatever bytes they contain. Nodes, agents, calls and
//     extensions come back under their names byte for byte; other strings come
//     back as valid UTF-8.
//   - Whatever fails because Redis cannot be reached, is read-only, refuses or
//     is too slow carries fault.StoreUnavailable.
//
// It needs Redis 6.2 or later (single, Sentinel or Cluster), with a
// maxmemory-policy of noeviction: evicting keys would forget leases and records.
// What is lost when Redis loses what it has acknowledged (no append-only file, a
// replica promoted too early) is lost here too, except that lease tokens go on
// increasing as long as the servers' clocks do. "embedded" runs a
// server inside the process, reachable by nobody else, whose data ends with it.
package state
