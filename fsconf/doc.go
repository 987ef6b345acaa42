// Package fsconf holds what a FreeSWITCH must be configured with so that
// livemon can work on it: a conference profile of its own, the keys of a
// supervisor, the extension by which a supervisor dials in, and the prompts
// that he hears. All of it is embedded in the binary.
//
// It puts these into a configuration folder and takes them out again (Install,
// Uninstall), prints them (Files), and asks a running switch whether they are
// in force (Check). It holds no connection, starts nothing on the switch, and
// never reloads it: 'reloadxml' is the operator's. It knows nothing of calls.
//
// What it guarantees:
//   - Nothing of the shop's is overwritten. The profile and the keys are put
//     between marker comments into the one conference.conf that the switch
//     really reads, found by following the includes the way the switch does;
//     every other byte of that file stays as it is. Something else that is
//     already called livemon is an error.
//   - A file is written beside its place, then renamed over it, with the mode
//     and owner of the one it replaces. Links that lead out of the
//     configuration folder are refused.
//   - Before anything is written, the result is read again the way the switch
//     reads it, and must hold exactly what was to be put there.
//   - A second Install with the same settings changes nothing; one with other
//     settings changes only what is livemon's. What was there before is kept
//     under livemon/backup, and is never overwritten.
//   - Uninstall gives the bytes back that were there before, or, where the shop
//     has changed the file since, takes only livemon's own part out of it.
//   - Replies of a switch and files of a shop are hostile: size and depth are
//     bounded, and nothing of them is executed or expanded.
//
// The names and defaults of the conference parameters are those of
// mod_conference in FreeSWITCH 1.10.
package fsconf
