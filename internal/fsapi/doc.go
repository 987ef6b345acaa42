// Package fsapi builds every command line that livemon sends to a switch. It is
// the one place that knows how FreeSWITCH takes such a line apart.
//
// # What it guarantees
//
// A [Line] can be made by this package's builders alone, and the event socket's
// client sends nothing else. Builders take checked values: a [Channel], a [Room],
// a [Value] and so on, which only a Parse function makes, out of what came from
// outside. So whatever a caller, a telephone, a browser, a directory or the store
// has put into an id, a conference's name or a number, a line means what its
// builder says, or is not sent: the zero value of a checked type makes the zero
// Line, which the client refuses.
//
// The fuzz target takes every builder's line apart as the switch does (blanks,
// quotes, escapes, braces, commas, bars, semicolons, the inline dialplan) and
// finds the builder's arguments again. A test holds that no builder is left out.
//
// # What needs care
//
// FreeSWITCH splits the words of a line at blanks, with single quotes and
// backslashes (switch_separate_string); a value that begins with ^^ chooses
// another separator; ${name} is expanded when an application is executed. Where a
// name is expected, some words mean something else: eavesdrop:all is everybody,
// "conference list" is a listing. A word that begins with "-" is an option of
// uuid_transfer. All of this is refused in checked values rather than quoted,
// because each layer of the switch unquotes once more.
package fsapi
