// Package browsertest proves the panel in a real Chromium: it has tests only.
//
// Each test starts the whole product in its own process (a simulated switch, the
// embedded store, accounts, the service, the API and the panel on one
// listener), opens the page in a profile of its own, and uses it as a supervisor
// does: with the keyboard, finding what it uses by role and name as a screen
// reader tells them. What a click did is asked of the simulated switch, which
// knows of every 20 ms frame who hears whom.
//
// A test fails, whatever it is about, when the page writes a warning or an error
// to the console, when a script throws, when the content security policy has to
// stop anything, when a dialog of the browser opens, and when the page asks for
// anything from another host.
//
// It needs Debian's chromium (apt-get install chromium) and no network. Where
// there is none the tests are skipped, and fail with LIVEMON_BROWSER=required.
// With LIVEMON_SCREENSHOTS=folder the pictures of docs/panel.md are made.
package browsertest
