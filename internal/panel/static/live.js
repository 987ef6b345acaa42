// The Live Monitoring dialog: which telephone, with coaching or not, for how long;
// then how far it has come.

import { call, Problem, sessionPath } from './api.js';
import { may, me } from './me.js';
import { explain, setText, stateOf, bdi } from './text.js';

const $ = (id) => document.getElementById(id);
const remembered = 'livemon.telephone'; // of this tab only
const steps = ['requested', 'ringing', 'answered', 'listening'];
const rightsToSpeak = ['coach', 'barge', 'takeover'];
const telephone = /^[0-9A-Za-z+*#._@-]{1,64}$/;
const userOf = (number) => number.split('@')[0];

export class LiveDialog {
  #dialog = $('live');
  #agent = null;
  #session = null;
  #abort = null;
  #busy = false;
  #changed; #show; #forget;
  #reached = 0; // the last step before the end

  // changed(session) is told what the dialog learns, show(session) when the dialog
  // gives way to the session itself, forget(session) when it has said all that there
  // is to say of one that came to nothing.
  constructor({ changed, show, forget }) {
    this.#changed = changed;
    this.#show = show;
    this.#forget = forget;
    $('live-form').addEventListener('submit', (e) => {
      e.preventDefault();
      if (!this.#session) this.#start();
      else if (this.#session.status === 'ended') this.#again();
      else this.#dialog.close();
    });
    $('live-cancel').addEventListener('click', () => this.#dialog.close());
    $('live-hangup').addEventListener('click', () => this.#stop());
    this.#dialog.addEventListener('close', () => {
      this.#abort?.abort();
      const s = this.#session;
      this.#session = null;
      if (s) (s.status === 'ended' ? this.#forget : this.#show)(s);
    });
  }

  // again goes back to the questions, with what was answered.
  #again() {
    this.#forget(this.#session);
    this.#session = null;
    this.#problem('');
    this.#phase('ask');
    ($('live-extension-field').hidden ? $('live-phone') : $('live-extension')).focus();
  }

  async open(agent) {
    if (this.#dialog.open || this.#busy) return;
    this.#busy = true;
    this.#agent = agent;
    this.#session = null;
    this.#problem('');
    setText($('live-status'), '');
    this.#dialog.querySelector('.live-who').replaceChildren(bdi(agent.agent), ' · ' + stateOf(agent).toLowerCase(), ...(agent.user ? [' with ', bdi(agent.user)] : []));
    this.#reset(agent);
    this.#phase('wait');
    setText($('live-status'), 'One moment…');
    this.#dialog.showModal();
    $('live-title').focus();
    let extensions = [];
    try {
      extensions = await call('GET', '/v1/extensions');
    } catch (err) {
      this.#problem(err instanceof Problem ? err.text : String(err));
    } finally {
      this.#busy = false;
    }
    setText($('live-status'), '');
    if (!this.#dialog.open) return;
    this.#telephones(extensions);
    this.#phase('ask');
    (extensions.length ? $('live-extension') : $('live-phone')).focus();
  }

  #telephones(extensions) {
    const last = sessionStorage.getItem(remembered) ?? '';
    const choose = extensions.length > 0;
    $('live-extension-field').hidden = !choose;
    $('live-phone-field').hidden = choose;
    const select = $('live-extension');
    select.replaceChildren(...extensions.map((e) => new Option(e.name ? `${e.number} – ${e.name}` : e.number, e.number)));
    const has = (number) => extensions.find((e) => number && (e.number === number || userOf(e.number) === userOf(number)))?.number;
    select.value = has(last) ?? has(me.extension) ?? extensions[0]?.number ?? '';
    $('live-phone').value = last || userOf(me.extension);
    $('live-phone').removeAttribute('aria-invalid');
  }

  #reset(agent) {
    const speaks = rightsToSpeak.some(may);
    const coaching = $('live-coaching');
    coaching.checked = false;
    coaching.disabled = !speaks;
    setText($('live-coaching-hint'), speaks ? 'Lets you speak: to the agent alone, or to both. Until you do, nobody hears you.' : 'Your account may listen, and not speak.');

    const onCall = Boolean(agent.call);
    $('live-no-call').hidden = onCall;
    for (const r of $('live-form').elements.follow) {
      r.disabled = r.value === 'call' && !onCall;
      r.checked = r.value === (onCall ? 'call' : 'next');
    }
  }

  #phase(phase) {
    const ask = phase === 'ask';
    $('live-ask').hidden = !ask;
    $('live-steps').hidden = ask || phase === 'wait';
    $('live-hangup').hidden = phase !== 'ringing';
    $('live-cancel').hidden = phase === 'on';
    setText($('live-cancel'), ask || phase === 'wait' ? 'Cancel' : 'Close');
    $('live-ok').hidden = phase === 'ringing' || phase === 'wait';
    setText($('live-ok'), { ask: 'OK', on: 'Go to the session', over: 'Try again' }[phase] ?? '');
  }

  #problem(text) { setText($('live-problem'), text); }

  async #start() {
    if (this.#busy) return;
    const choose = !$('live-extension-field').hidden;
    const field = choose ? $('live-extension') : $('live-phone');
    const phone = field.value.trim();
    this.#problem('');
    if (!telephone.test(phone)) {
      field.setAttribute('aria-invalid', 'true');
      this.#problem(phone ? 'A telephone has digits, letters and + * # . _ - @ only.' : 'Enter the telephone you want to listen with.');
      field.focus();
      return;
    }
    field.removeAttribute('aria-invalid');
    this.#busy = true;
    $('live-ok').setAttribute('aria-disabled', 'true');
    setText($('live-status'), 'Asking for it…');
    try {
      const a = this.#agent;
      this.#session = await call('POST', '/v1/sessions', {
        agent: a.agent, node: a.node, phone, coaching: $('live-coaching').checked, follow: $('live-form').elements.follow.value,
      });
      sessionStorage.setItem(remembered, phone);
    } catch (err) {
      setText($('live-status'), '');
      this.#problem(err instanceof Problem ? err.text : String(err));
      return;
    } finally {
      this.#busy = false;
      $('live-ok').removeAttribute('aria-disabled');
    }
    this.#changed(this.#session);
    if (!this.#dialog.open) return;
    this.#phase('ringing');
    setText($('live-steps').querySelector('bdi'), phone);
    $('live-title').focus();
    this.#abort = new AbortController();
    await this.#follow(this.#abort.signal);
  }

  // follow shows each step until he listens or it is over.
  async #follow(signal) {
    let failed = 0;
    while (!signal.aborted && this.#render()) {
      const s = this.#session;
      try {
        const q = new URLSearchParams({ wait: '25', status: s.status, role: s.role });
        const next = await call('GET', sessionPath(s.id) + '?' + q, undefined, signal);
        failed = 0;
        if (signal.aborted) return;
        this.#session = next;
        this.#changed(next);
      } catch (err) {
        if (signal.aborted) return;
        if (err instanceof Problem && err.status === 404 || ++failed > 5) {
          this.#session = { ...this.#session, status: 'ended', code: 0, reason: err instanceof Problem ? err.message : String(err) };
          this.#render();
          return;
        }
        await new Promise((resolve) => { setTimeout(resolve, 500 * failed); });
      }
    }
  }

  // render tells whether there is more to come.
  #render() {
    const s = this.#session;
    const over = s.status === 'ended';
    if (!over) this.#reached = s.status === 'waiting' ? 3 : steps.indexOf(s.status);
    const at = this.#reached;
    for (const li of $('live-steps').children) {
      const i = steps.indexOf(li.dataset.step);
      li.className = i < at || s.status === 'listening' && i === at ? 'done' : i !== at ? '' : over ? 'failed' : 'current';
      if (i === at && !over) li.setAttribute('aria-current', 'step');
      else li.removeAttribute('aria-current');
      if (li.dataset.step === 'listening') setText(li, s.status === 'waiting' ? 'Waiting for the next call' : 'Listening');
    }
    switch (s.status) {
      case 'ended':
        setText($('live-status'), '');
        explain($('live-problem'), s);
        this.#phase('over');
        $('live-ok').focus();
        return false;
      case 'listening':
      case 'waiting':
        setText($('live-status'), s.status === 'listening' ? 'You are listening. Nobody hears you.' : 'You are on the line. You will hear the agent’s next call by itself; stay on the line.');
        this.#phase('on');
        $('live-ok').focus();
        return false;
    }
    setText($('live-status'), { requested: 'Asked for…', ringing: `Ringing ${s.phone}. Pick up to listen.`, answered: 'Answered. You are being joined to the call…' }[s.status] ?? s.status);
    return true;
  }

  async #stop() {
    try {
      this.#changed(await call('DELETE', sessionPath(this.#session.id)));
    } catch (err) {
      this.#problem(err instanceof Problem ? err.text : String(err));
    }
  }
}
