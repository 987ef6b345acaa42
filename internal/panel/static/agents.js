// The table of agents. What comes in is kept as a model at once and shown once a
// frame; only what differs is touched; seconds are counted only where they are seen.

import { announce, elapsed, roleWords, setText, stamp, stateOf, stateWords, word, bdi } from './text.js';

const collator = new Intl.Collator(undefined, { numeric: true, sensitivity: 'base' });
const stateOrder = ['on-call', 'on-hold', 'in-conference', 'ringing', 'wrap-up', 'idle', 'logged-out'];
const rank = (s) => { const i = stateOrder.indexOf(s); return i < 0 ? stateOrder.length : i; };
const keyOf = (a) => a.node + '\u0000' + a.agent;
const listeners = (a) => a.supervisors ?? [];

const byText = (f) => (a, b) => collator.compare(f(a), f(b));
// Of these many have none: those come last, whichever way the column is sorted.
const optional = { user: (r) => r.agent.user ?? '', direction: (r) => r.agent.direction ?? '', queue: (r) => r.agent.queue ?? '' };
const orders = {
  agent: byText((r) => r.agent.agent),
  state: (a, b) => rank(a.agent.state) - rank(b.agent.state),
  since: (a, b) => b.since - a.since, // the shortest time first
  user: byText(optional.user),
  direction: byText(optional.direction),
  node: byText((r) => r.agent.node),
  queue: byText(optional.queue),
  supervisors: (a, b) => listeners(a.agent).length - listeners(b.agent).length,
};

// mostFirst tells whether a column is sorted downwards at first.
const mostFirst = (column) => column === 'supervisors';

// Rows change at once, and move once a second: nobody could follow them otherwise.
const orderEvery = 1000;

const busy = new Set(['on-call', 'on-hold', 'in-conference']);

export class AgentTable {
  #rows = new Map(); // key -> row
  #sorted = []; // rows in the order of the table
  #pending = new Map(); // key -> agent, or null for one that is gone
  #scheduled = false;
  #visible = new Set();
  #sort = 'agent';
  #down = false; // descending
  #text = '';
  #state = '';
  #shown = 0;
  #selected = null; // key
  #template = document.querySelector('#row').content.firstElementChild;
  #body = document.getElementById('rows');
  #loaded = false;
  #seen; #selectedChanged; #open; #told = 0;
  #misplaced = new Set(); // rows that stand where they stood before their last changes
  #ordered = 0; #ordering = 0;

  // selectedChanged() is told whenever there is something new about the selected
  // agent, open() that one wants to listen to him.
  constructor(selectedChanged, open) {
    this.#selectedChanged = selectedChanged;
    this.#open = open;
    this.#seen = new IntersectionObserver((entries) => {
      for (const e of entries) {
        const row = e.target.livemonRow;
        if (!row) continue;
        if (e.isIntersecting) {
          this.#visible.add(row);
          row.count();
        } else {
          this.#visible.delete(row);
        }
      }
    }, { rootMargin: '100px' });
    const tick = () => {
      if (!document.hidden) for (const row of this.#visible) row.count();
      setTimeout(tick, 1000 - (Date.now() % 1000));
    };
    tick();
    for (const th of document.querySelectorAll('#agents th[data-sort]')) {
      th.firstElementChild.addEventListener('click', () => this.#sortBy(th.dataset.sort, this.#sort === th.dataset.sort ? !this.#down : mostFirst(th.dataset.sort)));
    }
    document.getElementById('sort').addEventListener('change', (e) => this.#sortBy(e.target.value, mostFirst(e.target.value)));
    document.getElementById('filter').addEventListener('input', () => this.#filter());
    document.getElementById('filter-state').addEventListener('change', () => this.#filter());
    this.#body.addEventListener('change', (e) => {
      const row = e.target.closest('tr')?.livemonRow;
      if (row) this.#select(e.target.checked ? row.key : null);
    });
    this.#body.addEventListener('keydown', (e) => this.#key(e));
    this.#filter();
  }

  // whole replaces everything.
  whole(list) {
    const gone = new Set(this.#rows.keys());
    this.#pending.clear();
    for (const a of list) {
      gone.delete(keyOf(a));
      this.#pending.set(keyOf(a), a);
    }
    for (const k of gone) this.#pending.set(k, null);
    this.#loaded = true;
    this.#schedule();
  }

  // change takes what has changed since.
  change({ changed, removed }) {
    for (const a of changed ?? []) this.#pending.set(keyOf(a), a);
    for (const r of removed ?? []) this.#pending.set(keyOf(r), null);
    this.#schedule();
  }

  // agent is the latest that is known of one.
  agent(node, name) {
    const k = keyOf({ node, agent: name });
    return this.#pending.get(k) ?? this.#rows.get(k)?.agent ?? null;
  }

  get selected() { return this.#selected === null ? null : this.#pending.get(this.#selected) ?? this.#rows.get(this.#selected)?.agent ?? null; }

  stale(is) { document.getElementById('agents').classList.toggle('stale', is); }

  #schedule() {
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => {
      this.#scheduled = false;
      this.#apply();
    });
  }

  #compare(a, b) {
    const f = optional[this.#sort];
    const empty = f ? (f(a) === '') - (f(b) === '') : 0;
    if (empty) return empty;
    const d = orders[this.#sort](a, b);
    return (this.#down ? -d : d) || orders.agent(a, b) || collator.compare(a.agent.node, b.agent.node) || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);
  }

  #apply() {
    const pending = this.#pending;
    this.#pending = new Map();
    const added = [], gone = [];
    const dropped = new Set();
    let selectionChanged = false, orphaned = null;
    for (const [key, agent] of pending) {
      let row = this.#rows.get(key);
      if (key === this.#selected) selectionChanged = true;
      if (agent === null) {
        if (!row) continue;
        this.#rows.delete(key);
        this.#visible.delete(row);
        this.#seen.unobserve(row.tr);
        if (!row.tr.hidden) this.#shown--;
        if (row.tr.contains(document.activeElement)) orphaned = row;
        dropped.add(row);
        this.#misplaced.delete(row);
        if (this.#selected === key) this.#selected = null;
        gone.push(row);
        continue;
      }
      if (!row) {
        row = new Row(key, this.#template.cloneNode(true), agent);
        this.#rows.set(key, row);
        row.tr.hidden = true;
        added.push(row);
      } else {
        const before = { agent: row.agent, since: row.since };
        row.update(agent);
        if (orders[this.#sort](before, row) !== 0) this.#misplaced.add(row);
      }
      this.#hide(row);
    }
    if (orphaned) this.#adopt(orphaned, dropped);
    for (const row of gone) row.tr.remove();
    if (dropped.size) this.#sorted = this.#sorted.filter((r) => !dropped.has(r));
    if (added.length) this.#order(added);
    else if (this.#misplaced.size && !this.#ordering) {
      this.#ordering = setTimeout(() => { this.#ordering = 0; this.#order([]); }, Math.max(0, this.#ordered + orderEvery - performance.now()));
    }
    if (selectionChanged) this.#selectedChanged();
    this.#tell();
  }

  // adopt gives the keyboard to the row after one that goes away, or before it.
  #adopt(row, dropped) {
    const stays = (r) => !dropped.has(r) && !r.tr.hidden;
    const i = this.#sorted.indexOf(row);
    const heir = this.#sorted.slice(i + 1).find(stays) ?? this.#sorted.slice(0, i).findLast(stays);
    (heir?.box ?? document.getElementById('filter')).focus({ preventScroll: true });
  }

  // key leads through the rows: with many of them, Tab alone would take long, and
  // the button is far from the row.
  #key(e) {
    const row = e.target.closest('tr')?.livemonRow;
    if (!row || e.target !== row.box || e.ctrlKey || e.altKey || e.metaKey || e.shiftKey) return;
    const shown = this.#sorted.filter((r) => !r.tr.hidden);
    const i = shown.indexOf(row);
    const to = { ArrowDown: shown[i + 1], ArrowUp: shown[i - 1], Home: shown[0], End: shown.at(-1) }[e.key];
    if (to) to.box.focus();
    else if (e.key === 'Enter') {
      this.#select(row.key);
      this.#open();
    } else if (!['ArrowDown', 'ArrowUp'].includes(e.key)) return;
    e.preventDefault();
  }

  // order puts rows where they belong now: those that are new, and those that stand wrong.
  #order(added) {
    this.#ordered = performance.now();
    const moved = [...this.#misplaced, ...added];
    const kept = this.#sorted.filter((r) => !this.#misplaced.has(r));
    this.#misplaced.clear();
    moved.sort((a, b) => this.#compare(a, b));
    const merged = [];
    let i = 0;
    for (const row of moved) {
      while (i < kept.length && this.#compare(kept[i], row) < 0) merged.push(kept[i++]);
      merged.push(row);
    }
    while (i < kept.length) merged.push(kept[i++]);
    this.#sorted = merged;
    const moving = new Set(moved);
    const focused = document.activeElement;
    let next = null;
    for (let j = merged.length - 1; j >= 0; j--) {
      const row = merged[j];
      if (moving.has(row) && row.tr.nextElementSibling !== next || row.tr.parentNode === null) {
        this.#body.insertBefore(row.tr, next);
        if (row.fresh) {
          row.fresh = false;
          this.#seen.observe(row.tr);
        }
      }
      next = row.tr;
    }
    if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
  }

  #sortBy(column, down) {
    this.#sort = column;
    this.#down = down;
    for (const th of document.querySelectorAll('#agents th[data-sort]')) {
      if (th.dataset.sort === column) th.setAttribute('aria-sort', down ? 'descending' : 'ascending');
      else th.removeAttribute('aria-sort');
    }
    document.getElementById('sort').value = column;
    this.#misplaced.clear();
    const focused = document.activeElement;
    this.#sorted.sort((a, b) => this.#compare(a, b));
    this.#body.append(...this.#sorted.map((r) => r.tr));
    if (focused !== document.activeElement && focused?.isConnected) focused.focus();
  }

  #filter() {
    this.#text = document.getElementById('filter').value.trim().toLocaleLowerCase();
    this.#state = document.getElementById('filter-state').value;
    for (const row of this.#rows.values()) this.#hide(row);
    this.#tell();
    clearTimeout(this.#told);
    if (this.#loaded && (this.#text || this.#state)) this.#told = setTimeout(() => announce(document.getElementById('count').textContent), 800);
    if (this.#loaded) this.#selectedChanged();
  }

  #matches(row) {
    const a = row.agent;
    switch (this.#state) {
      case '': break;
      case 'busy': if (!busy.has(a.state)) return false; break;
      case 'listened': if (!listeners(a).length) return false; break;
      default: if (a.state !== this.#state) return false;
    }
    return !this.#text || row.haystack().includes(this.#text);
  }

  #hide(row) {
    const hidden = !this.#matches(row);
    if (hidden === row.tr.hidden) return;
    row.tr.hidden = hidden;
    this.#shown += hidden ? -1 : 1;
  }

  // hidden tells whether the selected agent is not among those shown.
  get selectedHidden() { return this.#selected !== null && this.#rows.get(this.#selected)?.tr.hidden === true; }

  #select(key) {
    const before = this.#rows.get(this.#selected);
    this.#selected = key;
    before?.select(false);
    this.#rows.get(key)?.select(true);
    this.#selectedChanged();
  }

  clearSelection() { this.#select(null); }

  #tell() {
    const all = this.#rows.size, shown = this.#shown;
    const n = (x) => x.toLocaleString('en');
    setText(document.getElementById('count'), !this.#loaded ? 'No agents yet.' : this.#text || this.#state ? `${n(shown)} of ${n(all)} agents` : `${n(all)} ${all === 1 ? 'agent' : 'agents'}`);
    const empty = document.getElementById('empty');
    empty.hidden = shown > 0;
    if (!empty.hidden) {
      setText(empty, !this.#loaded ? 'Waiting for the list of agents…' : all === 0 ? 'There are no agents whom you may see.' : 'No agent matches the filter.');
    }
  }
}

class Row {
  constructor(key, tr, agent) {
    this.key = key;
    this.tr = tr;
    this.fresh = true;
    tr.livemonRow = this;
    this.box = tr.querySelector('input');
    this.name = tr.querySelector('.c-agent .name');
    this.extension = tr.querySelector('.extension');
    this.state = tr.querySelector('.state');
    this.time = tr.querySelector('time');
    this.user = tr.querySelector('.c-user bdi');
    this.direction = tr.querySelector('.c-direction');
    this.node = tr.querySelector('.c-node bdi');
    this.queue = tr.querySelector('.c-queue bdi');
    this.supervisors = tr.querySelector('.c-supervisors');
    this.box.setAttribute('aria-label', 'Select ' + agent.agent);
    this.name.textContent = agent.agent;
    this.name.title = agent.agent;
    this.node.textContent = agent.node;
    this.node.title = agent.node;
    this.#show(null, agent);
  }

  update(agent) { this.#show(this.agent, agent); }

  #show(before, a) {
    this.agent = a;
    this.lower = null;
    if (before?.extension !== a.extension) {
      const other = a.extension && a.extension !== a.agent ? a.extension : '';
      this.extension.textContent = other.split('@')[0];
      this.extension.title = other;
    }
    if (before?.state !== a.state || before?.unverified !== a.unverified) {
      this.state.textContent = stateOf(a);
      this.state.className = 'state s-' + (Object.hasOwn(stateWords, a.state) ? a.state : 'other');
    }
    if (before?.since !== a.since) {
      const t = Date.parse(a.since);
      this.since = t > 0 ? t : 0;
      this.time.dateTime = a.since;
      this.time.title = this.since ? stamp(this.since) : '';
      this.count();
    }
    if (before?.user !== a.user) {
      this.user.textContent = a.user ?? '';
      this.user.title = a.user ?? '';
    }
    if (before?.direction !== a.direction) this.direction.textContent = a.direction ?? '';
    if (before?.queue !== a.queue) {
      this.queue.textContent = a.queue ?? '';
      this.queue.title = a.queue ?? '';
    }
    const who = listeners(a);
    const same = before && listeners(before).length === who.length && who.every((s, i) => {
      const b = listeners(before)[i];
      return b.supervisor === s.supervisor && b.role === s.role;
    });
    if (!same) {
      this.tr.classList.toggle('listened', who.length > 0);
      const most = 3;
      const parts = who.slice(0, most).map((s) => {
        const span = document.createElement('span');
        span.className = 'who';
        const role = document.createElement('span');
        role.className = 'role ' + (Object.hasOwn(roleWords, s.role) ? s.role : '');
        role.textContent = word(roleWords, s.role);
        span.append(bdi(s.supervisor), ' ', role);
        return span;
      });
      if (who.length > most) parts.push(`and ${who.length - most} more`);
      this.supervisors.replaceChildren(...parts.flatMap((p, i) => (i ? [' ', p] : [p])));
    }
  }

  // count shows how long the state has lasted.
  count() { setText(this.time, elapsed(this.since)); }

  select(is) {
    this.box.checked = is;
    this.tr.classList.toggle('selected-row', is);
  }

  // haystack is what a filter looks into.
  haystack() {
    const a = this.agent;
    return this.lower ??= [a.agent, a.extension, stateOf(a), a.user, a.direction, a.node, a.queue,
      ...listeners(a).flatMap((s) => [s.supervisor, word(roleWords, s.role)])].join('\n').toLocaleLowerCase();
  }
}
