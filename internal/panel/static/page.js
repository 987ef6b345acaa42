// On every page of a login. What the Back key finds in the browser's memory may be
// the page of a login that has ended.
addEventListener('pageshow', (e) => { if (e.persisted) location.reload(); });
