// One's own sessions: who one is on the call, who hears whom, and what to do.

import { call, fragment, Problem, sessionPath } from './api.js';
import { may, me, onMe, readMe } from './me.js';
import { bdi, elapsed, explain, roleMeaning, roleWords, setText, word } from './text.js';

const rightOf = { monitor: 'listen', coach: 'coach', barge: 'barge' };
const rightWords = { listen: 'listen', coach: 'coach', barge: 'barge in', takeover: 'disconnect the agent' };

export class Seat {
  #box = document.getElementById('own');
  #sections = new Map(); // id -> Section
  #all = [];
  #stale = true;

  constructor() {
    onMe(() => { for (const s of this.#sections.values()) s.render(); });
    const tick = () => {
      for (const s of this.#sections.values()) s.count();
      setTimeout(tick, 1000 - (Date.now() % 1000));
    };
    tick();
  }

  // whole takes every live session that one sees.
  whole(list) {
    this.#all = list;
    const own = list.filter((s) => s.account && s.account === me.account);
    const ids = new Set(own.map((s) => s.id));
    for (const s of own) this.one(s, true);
    for (const [id, section] of this.#sections) {
      if (!ids.has(id)) section.lookFor();
    }
    for (const section of this.#sections.values()) section.others(list);
    this.#title();
  }

  // one takes one session: from the stream, or as some answer had it. Answers may be
  // older than what the stream has said, which does not repeat itself: while there is
  // one, they count for what is new only.
  one(s, streamed = false) {
    let section = this.#sections.get(s.id);
    if (section && !streamed && !this.#stale && s.status !== 'ended') return section;
    if (!section) {
      if (s.status === 'ended') return null;
      section = new Section(s, { drop: () => this.#drop(s.id), answered: (x) => this.one(x), alone: () => this.#stale });
      this.#sections.set(s.id, section);
      this.#box.append(section.root);
      section.others(this.#all);
    } else {
      section.update(s);
    }
    this.#title();
    return section;
  }

  show(s) {
    const section = this.one(s);
    section?.root.focus();
    section?.root.scrollIntoView({ block: 'nearest' });
  }

  // forget takes away a session that has ended, and of which everything was said.
  forget(s) {
    this.#sections.get(s.id)?.root.remove();
    this.#sections.delete(s.id);
    this.#title();
  }

  stale(is) {
    this.#stale = is;
    this.#box.classList.toggle('stale', is);
  }

  get busy() { return [...this.#sections.values()].some((s) => s.live); }

  #drop(id) {
    this.forget({ id });
    document.getElementById('agents-toggle').focus();
  }

  #title() {
    const live = [...this.#sections.values()].find((s) => s.live);
    const status = live?.session.status;
    const what = !live ? '' : status === 'listening' ? word(roleWords, live.session.role) : status;
    document.title = (what ? what + ' · ' : '') + 'Monitoring · livemon';
  }
}

class Section {
  #on; #news = null; #busy = ''; #problem = ''; #signature = ''; #fetching = null; #again = false; #looking = false; #others = [];

  // on.drop() when it is to go, on.answered(session) with what was answered,
  // on.alone() whether there is nothing but answers.
  constructor(s, on) {
    this.session = s;
    this.#on = on;
    this.root = document.getElementById('session').content.firstElementChild.cloneNode(true);
    const q = (x) => this.root.querySelector(x);
    const id = 'session-' + crypto.getRandomValues(new Uint32Array(2)).join('');
    this.h2 = q('h2');
    this.h2.id = id;
    this.root.setAttribute('aria-labelledby', id);
    this.state = q('.session-state');
    this.role = q('.f-role');
    this.since = q('.f-since');
    this.user = q('.f-user');
    this.phone = q('.f-phone');
    this.hold = q('.f-hold');
    this.why = q('.f-why');
    this.why.id = id + '-why';
    this.alert = q('.problem');
    this.follow = q('select');
    this.follow.id = id + '-follow';
    q('.follow label').htmlFor = this.follow.id;
    this.leave = q('.leave');
    this.takeover = q('.takeover');
    this.dismiss = q('.dismiss');
    this.hears = q('.f-hears');
    this.buttons = [...this.root.querySelectorAll('.roles button')];
    for (const b of [...this.buttons, this.takeover]) b.setAttribute('aria-describedby', this.why.id);
    for (const b of this.buttons) {
      b.addEventListener('click', () => {
        if (this.#refused(b.dataset.role) || this.#busy || this.session.role === b.dataset.role && this.session.desired === b.dataset.role) return;
        this.#do('Changing to ' + b.dataset.role, () => call('POST', sessionPath(this.session.id, '/role'), { role: b.dataset.role }));
      });
    }
    this.takeover.addEventListener('click', async () => {
      if (this.#refused('takeover') || this.#busy) return;
      if (await confirm('Disconnect the agent?', [bdi(this.session.agent), ' is taken off the call, and you go on with the customer. This cannot be undone.'], 'Disconnect the agent')) {
        this.#do('Disconnecting the agent', () => call('POST', sessionPath(this.session.id, '/takeover')));
      }
    });
    this.leave.addEventListener('click', async () => {
      if (this.#busy === 'Leaving') return;
      if (this.session.role === 'takeover' && !await confirm('Leave the customer?', ['You are alone with the customer. If you leave, the call ends.'], 'Leave')) return;
      this.#do('Leaving', () => call('DELETE', sessionPath(this.session.id)));
    });
    this.follow.addEventListener('change', () => {
      const follow = this.follow.value;
      this.#do('Changing what you listen to', () => call('PUT', sessionPath(this.session.id, '/follow'), { follow }));
    });
    this.dismiss.addEventListener('click', () => this.#on.drop());
    this.render();
  }

  get live() { return this.session.status !== 'ended'; }

  update(s) {
    if (this.session.status === 'ended') return; // nothing comes after the end
    if (s.role !== this.session.role || s.status !== this.session.status) this.#problem = ''; // that was before
    this.session = s;
    this.#news?.();
    this.render();
  }

  // lookFor asks how a session ended that is not among the live ones any more.
  async lookFor() {
    if (this.#looking || !this.live) return;
    this.#looking = true;
    try {
      this.update(await call('GET', sessionPath(this.session.id)));
    } catch (err) {
      if (err instanceof Problem && err.status === 404) this.update({ ...this.session, status: 'ended', reason: '' });
    } finally {
      this.#looking = false;
    }
  }

  async #do(what, f) {
    this.#busy = what;
    this.#problem = '';
    this.render();
    try {
      const before = this.session;
      const s = await f();
      this.#on.answered(s);
      if (this.session === before && !this.#on.alone()) await new Promise((resolve) => { this.#news = resolve; setTimeout(resolve, 500); });
    } catch (err) {
      this.#problem = err instanceof Problem ? err.text : String(err);
      if (err instanceof Problem && err.status === 403) readMe();
      if (err instanceof Problem && err.status === 404) this.lookFor();
    } finally {
      this.#busy = '';
      this.render();
    }
  }

  // refused says why something cannot be asked for now, '' if it can.
  #refused(what) {
    const s = this.session;
    if (s.status === 'ended') return 'The session has ended.';
    if (s.role === 'takeover') return 'The agent has left: you talk with the customer.';
    if (s.status === 'waiting') return 'Roles can be changed while there is a call.';
    if (s.status !== 'listening') return 'Roles can be changed once you listen.';
    if (what === 'monitor') return '';
    if (!s.coaching) return 'Coaching was not enabled for this session: you can listen, and not speak.';
    const right = rightOf[what] ?? what;
    return may(right) ? '' : `Your account has no right to ${rightWords[right]}.`;
  }

  render() {
    const s = this.session, ended = s.status === 'ended';
    const title = {
      requested: ['Asking for ', bdi(s.agent)], ringing: ['Ringing ', bdi(s.phone), ' to listen to ', bdi(s.agent)], answered: ['Joining the call of ', bdi(s.agent)],
      waiting: ['Waiting for a call of ', bdi(s.agent)], ended: ['The session with ', bdi(s.agent), ' has ended'],
    }[s.status] ?? (s.role === 'takeover' ? ['Talking with the customer of ', bdi(s.agent)] : ['Listening to ', bdi(s.agent)]);
    const key = s.status + '\n' + s.role + '\n' + s.agent + '\n' + s.phone;
    if (this.titled !== key) {
      this.titled = key;
      this.h2.replaceChildren(...title);
    }
    this.root.dataset.role = ended ? 'ended' : s.role;
    this.root.dataset.status = s.status;

    const changing = !ended && s.status === 'listening' && s.desired && s.desired !== s.role;
    let state = '';
    if (this.#busy) state = this.#busy + '…';
    else if (changing && s.desired === 'takeover') state = 'Disconnecting the agent…';
    else if (changing) state = `Changing to ${word(roleWords, s.desired)}…`;
    else if (s.status === 'listening') state = `${word(roleWords, s.role)}: ${word(roleMeaning, s.role)}`;
    else state = { requested: 'Asked for.', ringing: 'Pick up to listen.', answered: 'You are being joined to the call.', waiting: 'Stay on the line: you will hear the next call by itself.' }[s.status] ?? s.status;
    if (ended && s.code) explain(this.state, s);
    else setText(this.state, ended ? s.reason || '' : state);
    this.state.classList.toggle('pending', !ended && Boolean(this.#busy || changing));

    setText(this.role, s.status === 'listening' ? word(roleWords, s.role) : '–');
    setText(this.user, s.user || '–');
    setText(this.phone, s.phone);
    this.count();
    const hold = { agent: 'The agent has put the customer on hold.', customer: 'The customer has put the agent on hold.' }[s.hold] ?? '';
    setText(this.hold, hold);
    this.hold.hidden = !hold;

    const reasons = new Set();
    for (const b of [...this.buttons, this.takeover]) {
      const role = b.dataset.role ?? 'takeover';
      const refused = this.#refused(role);
      if (refused) reasons.add(refused);
      set(b, 'aria-disabled', refused || this.#busy ? 'true' : null);
      if (b !== this.takeover) {
        set(b, 'aria-pressed', String(s.status === 'listening' && s.role === role));
        b.classList.toggle('pending', Boolean(changing && s.desired === role));
      }
    }
    setText(this.why, [...reasons].join(' '));
    this.why.hidden = reasons.size === 0;
    if (!this.#busy) this.follow.value = s.follow || 'call';
    this.follow.disabled = ended;
    setText(this.alert, this.#problem);
    this.alert.hidden = !this.#problem;
    for (const part of ['.roles', '.follow', '.session-right', '.keys', '.facts']) {
      const e = this.root.querySelector(part);
      if (e) e.hidden = ended;
    }
    if (ended) this.why.hidden = true;
    const focusLost = ended && !this.dismissShown && this.root.contains(document.activeElement) && document.activeElement !== this.root;
    this.dismissShown = ended;
    this.leave.hidden = ended;
    this.takeover.hidden = ended || s.role === 'takeover';
    this.dismiss.hidden = !ended;
    if (focusLost) this.dismiss.focus();
    this.others(this.#others);
  }

  count() {
    const t = elapsed(Date.parse(this.session.since));
    if (this.live) setText(this.since, t);
  }

  // others takes all sessions: those on the same call change who hears whom.
  others(list) {
    this.#others = list;
    const s = this.session;
    if (!this.live) return;
    const same = list.filter((x) => x.id !== s.id && x.call === s.call && x.node === s.node).map((x) => [x.id, x.status, x.role]);
    const signature = JSON.stringify([s.status, s.role, s.call, s.hold, same]);
    if (signature === this.#signature) return;
    this.#signature = signature;
    this.#draw();
  }

  async #draw() {
    if (this.#fetching) {
      this.#again = true;
      return;
    }
    do {
      this.#again = false;
      try {
        this.#fetching = fragment('/fragment/hears/' + encodeURIComponent(this.session.id));
        const part = await this.#fetching;
        if (part) this.hears.replaceChildren(document.adoptNode(part));
      } catch (err) {
        this.#signature = ''; // the next change tries again
        setText(this.hears, err instanceof Problem ? err.text : 'This cannot be shown at the moment.');
      } finally {
        this.#fetching = null;
      }
    } while (this.#again && this.live);
  }
}

function set(e, name, value) {
  if (value === null) e.removeAttribute(name);
  else if (e.getAttribute(name) !== value) e.setAttribute(name, value);
}

// confirm asks, with what is safe in front.
function confirm(title, text, yes) {
  const dialog = document.getElementById('confirm');
  if (dialog.open) return Promise.resolve(false);
  document.getElementById('confirm-title').textContent = title;
  document.getElementById('confirm-text').replaceChildren(...text);
  dialog.querySelector('.danger').textContent = yes;
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}
