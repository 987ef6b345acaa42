// Package panel is livemon's web page: login, the Monitoring page with the
// Current Agent Status panel and Live Monitoring, the lists of sessions and of
// the audit stream, and one's own account.
//
// Everything is embedded; there is no build step and nothing is fetched from
// elsewhere. What changes by itself comes from the HTTP API (package api), which
// the page's script asks with the login's cookie (Panel.Login): there is no second
// set of JSON here. The rest is plain HTML that needs no script.
//
// It decides nothing about calls and next to nothing about rights: it asks a
// wire.Service that shows each account what it may see, and that refuses what it
// may not do.
//
// It guarantees that
//   - nothing but the login page and static files is answered without a login;
//     the secret of one is in a cookie that scripts cannot read, that no other
//     site's page can have sent, and that a login always replaces;
//   - nothing changes without a token that only livemon's own pages know;
//   - what comes from outside (names of agents, numbers, reasons) is only ever
//     text: in HTML by html/template, in the script by textContent, in CSV without
//     anything that a spreadsheet would take for a formula;
//   - every answer has a content security policy without anything inline, and an
//     error is a page with the request's id and never a cause;
//   - bodies, lists, waiting reports and what one page reads of the audit stream
//     are bounded, and what was cut off says so.
package panel
