// What the page says, and how times are written.

export const stateWords = {
  'idle': 'Idle', 'ringing': 'Ringing', 'on-call': 'On a call', 'on-hold': 'On hold',
  'in-conference': 'In conference', 'wrap-up': 'Wrap-up', 'logged-out': 'Logged out',
};

export const roleWords = { joining: 'joining', monitor: 'monitor', coach: 'coach', barge: 'barge', takeover: 'taken over' };

export const roleMeaning = {
  joining: 'you hear nobody yet',
  monitor: 'you hear both, nobody hears you',
  coach: 'only the agent hears you',
  barge: 'everybody hears you',
  takeover: 'you talk with the customer, the agent is out',
};

export const word = (words, key) => (Object.hasOwn(words, key) ? words[key] : key || '');

// stateOf is what an agent does. A telephone that has not authenticated itself may be anybody's.
export const stateOf = (agent) => word(stateWords, agent.state) + (agent.unverified ? ', not authenticated' : '');

// The clock of the service, which times come from, may not be this machine's.
let ahead = 0;

export function setClock(date) {
  const server = Date.parse(date);
  if (!Number.isNaN(server)) {
    const d = server + 500 - Date.now();
    ahead = Math.abs(d) > 2000 ? d : 0; // the header has whole seconds
  }
}

export const now = () => Date.now() + ahead;

export function elapsed(since) {
  if (!(since > 0)) return '';
  const s = Math.max(0, Math.floor((now() - since) / 1000));
  const two = (n) => String(n).padStart(2, '0');
  const days = Math.floor(s / 86400);
  if (days >= 100) return `${days} d`;
  if (s >= 360000) return `${days} d ${two(Math.floor(s / 3600) % 24)} h`; // as wide as hours and minutes
  return `${two(Math.floor(s / 3600))}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
}

// stamp is a time as the other pages have it.
export const stamp = (ms) => new Date(ms).toLocaleString('sv-SE');

// setText touches the document only where something changes.
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// bdi is an element for a name from outside, which may be written in any direction.
export function bdi(text) {
  const e = document.createElement('bdi');
  e.className = 'name';
  e.textContent = text;
  e.title = text;
  return e;
}

// announce tells users of a screen reader what others see.
export function announce(text) {
  const box = document.getElementById('announce');
  box.textContent = '';
  requestAnimationFrame(() => { box.textContent = text; });
}

// explain shows why something has ended: what that means and what to do, and what
// is known of this case.
export function explain(node, { code, reason }) {
  const what = code ? `${code}: ${sentence(code)}` : `The session has ended${reason ? ': ' + reason : ''}.`;
  const parts = [what];
  if (code && reason) {
    const more = document.createElement('span');
    more.className = 'hint-text';
    more.textContent = reason;
    parts.push(more);
  }
  if (node.textContent !== parts.map((p) => p.textContent ?? p).join('')) node.replaceChildren(...parts);
}

function sentence(code) {
  for (const dt of document.querySelectorAll('#codes dt')) {
    if (dt.textContent === String(code)) return dt.nextElementSibling.textContent;
  }
  return '';
}
