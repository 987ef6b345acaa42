// The Monitoring page: one stream of changes feeds the table of agents and one's
// own sessions.

import { AgentTable } from './agents.js';
import { call } from './api.js';
import { LiveDialog } from './live.js';
import { may, onMe, readMe } from './me.js';
import { Seat } from './seat.js';
import { Stream } from './stream.js';
import { announce, bdi, stamp, stateOf } from './text.js';

const $ = (id) => document.getElementById(id);
const open = 'livemon.agents'; // whether the panel is open, in this tab

const toggle = $('agents-toggle');
function expand(is) {
  toggle.setAttribute('aria-expanded', String(is));
  $('agents-body').hidden = !is;
  sessionStorage.setItem(open, is ? 'open' : '');
}
toggle.addEventListener('click', () => expand(toggle.getAttribute('aria-expanded') !== 'true'));
expand(sessionStorage.getItem(open) === 'open');
toggle.disabled = false; // until now nobody would have heard a click

// The head of the table stays below the toolbar, however many lines that has.
new ResizeObserver(([e]) => {
  $('agents').style.setProperty('--toolbar', Math.round(e.borderBoxSize[0].blockSize) + 'px');
}).observe(document.querySelector('#agents-body > .toolbar'));

new ResizeObserver(([e]) => {
  const height = $('connection').hidden ? 0 : e.borderBoxSize[0].blockSize + 8;
  document.documentElement.style.setProperty('--banner', Math.round(height) + 'px');
}).observe($('connection'));

const seat = new Seat();
const live = new LiveDialog({ changed: (s) => seat.one(s), show, forget: (s) => seat.forget(s) });

function show(s) {
  table.clearSelection();
  seat.show(s);
}

const table = new AgentTable(showSelected, start);
let shown = '';
function showSelected() {
  const a = table?.selected;
  const key = [may('listen'), a?.node, a?.agent, a?.state, table.selectedHidden].join('\u0000');
  if (key === shown) return;
  shown = key;
  const box = $('selected');
  if (!may('listen')) box.textContent = 'Your account may not listen to calls.';
  else if (a) box.replaceChildren('Selected: ', bdi(a.agent), ', ' + stateOf(a).toLowerCase(), table.selectedHidden ? ' (not among those shown)' : '');
  else box.textContent = 'No agent is selected.';
  $('monitor').setAttribute('aria-disabled', String(!a || !may('listen')));
}
$('monitor').addEventListener('click', start);
function start() {
  const a = table.selected;
  if (!may('listen')) announce('Your account may not listen to calls.');
  else if (a) live.open(a);
  else announce('Select an agent first: with the checkbox at the left.');
}

let down = 0; // the time since when nothing new has come
let seconds = 0;
const banner = $('connection');
const stream = new Stream('/v1/events?changes=1', {
  event(name, value) {
    switch (name) {
      case 'agents': table.whole(value); stale(false); break;
      case 'agents-changed': table.change(value); stale(false); break;
      case 'sessions': seat.whole(value); break;
      case 'error': trouble(`livemon has nothing new at the moment. ${value.code >= 9000 ? value.code + ': ' : ''}${value.message}`); break;
    }
  },
  up() { clearInterval(seconds); },
  needed: () => seat.busy,
  slow() { trouble('livemon takes long to answer.'); },
  down(reason, wait) {
    let left = Math.ceil(wait / 1000);
    clearInterval(seconds);
    trouble(`${reason} What is shown is from ${stamp(down || Date.now()).slice(-8)}.`);
    const count = $('connection').querySelector('.again');
    const say = () => { if (count) count.textContent = left > 0 ? ` Trying again in ${left} s.` : ' Trying again…'; left--; };
    say();
    seconds = setInterval(say, 1000);
  },
});

function stale(is) {
  table.stale(is);
  seat.stale(is);
  if (!is) {
    down = 0;
    if (!banner.hidden) {
      banner.hidden = true;
      banner.replaceChildren();
      announce('The connection is back.');
    }
  }
}

function trouble(text) {
  down ||= Date.now();
  stale(true);
  if (banner.querySelector('.what')?.textContent === text) return;
  const what = document.createElement('span');
  what.className = 'what';
  what.textContent = text;
  const again = document.createElement('span');
  again.className = 'again';
  again.setAttribute('aria-hidden', 'true'); // it counts: nobody wants to hear that
  const now = document.createElement('button');
  now.type = 'button';
  now.textContent = 'Try now';
  now.addEventListener('click', () => stream.retry());
  banner.replaceChildren(what, again, ' ', now);
  banner.hidden = false;
}

// A login ends when it is not used for a while. Whoever sits here uses it, though
// the page asks for nothing.
let used = Date.now();
for (const e of ['pointerdown', 'keydown', 'wheel']) addEventListener(e, () => { used = Date.now(); }, { passive: true });
const every = 5 * 60_000;
setInterval(() => { if (Date.now() - used < every || seat.busy) call('GET', '/v1/me').catch(() => {}); }, every);

onMe(showSelected);
readMe();
document.addEventListener('visibilitychange', () => { if (!document.hidden) readMe(); });
