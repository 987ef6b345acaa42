// Server-sent events. They are read with fetch rather than EventSource, which hides
// the two things that matter here: the status of an answer (has the login ended?)
// and the heartbeat (has the connection died without a word?).

import { open, Problem } from './api.js';
import { setClock } from './text.js';

const silence = 40_000; // two heartbeats of 15 s, and some
const hiddenFor = 60_000; // a tab that nobody looks at gives its connection back
const patience = 3_000; // for the first event
const first = 500, last = 15_000;

export class Stream {
  #path; #on; #abort = null; #timer = 0; #wait = first; #dead = 0; #slow = 0; #hidden = 0; #stopped = false;

  // on.event(name, value), on.up(), on.slow() when there is nothing yet after a
  // while, on.down(reason, milliseconds until the next try), on.needed() whether it
  // must go on though nobody looks
  constructor(path, on) {
    this.#path = path;
    this.#on = on;
    addEventListener('offline', () => this.#lost('This computer has no network.'));
    addEventListener('online', () => this.retry());
    addEventListener('pagehide', () => this.#close());
    document.addEventListener('visibilitychange', () => {
      clearInterval(this.#hidden);
      if (document.hidden) {
        this.#hidden = setInterval(() => {
          if (this.#on.needed()) return;
          clearInterval(this.#hidden);
          this.#close();
          this.#stopped = true;
        }, hiddenFor);
      } else if (this.#stopped) {
        this.retry();
      }
    });
    this.retry();
  }

  // retry connects now rather than when the pause is over.
  retry() {
    this.#stopped = false;
    this.#close();
    this.#run();
  }

  #close() {
    clearTimeout(this.#timer);
    clearTimeout(this.#dead);
    clearTimeout(this.#slow);
    this.#abort?.abort();
    this.#abort = null;
  }

  #lost(reason) {
    this.#close();
    const wait = this.#wait * (0.75 + Math.random() / 2);
    this.#wait = Math.min(this.#wait * 2, last);
    this.#on.down(reason, wait);
    this.#timer = setTimeout(() => this.#run(), wait);
  }

  async #run() {
    const abort = new AbortController();
    this.#abort = abort;
    const alive = () => {
      clearTimeout(this.#dead);
      this.#dead = setTimeout(() => { if (this.#abort === abort) this.#lost('livemon has gone silent.'); }, silence);
    };
    alive();
    clearTimeout(this.#slow);
    this.#slow = setTimeout(() => { if (this.#abort === abort) this.#on.slow(); }, patience);
    try {
      const res = await open(this.#path, abort.signal);
      setClock(res.headers.get('Date'));
      const reader = res.body.pipeThrough(new TextDecoderStream()).getReader();
      const parse = parser((name, data) => {
        if (this.#abort !== abort) return;
        const value = JSON.parse(data);
        clearTimeout(this.#slow);
        if (name !== 'error') {
          this.#wait = first;
          this.#on.up();
        }
        this.#on.event(name, value);
      });
      for (;;) {
        const { done, value } = await reader.read();
        if (done || this.#abort !== abort) break;
        alive();
        parse(value);
      }
      if (this.#abort === abort) this.#lost('The connection to livemon has ended.');
    } catch (err) {
      if (this.#abort !== abort) return; // closed on purpose
      if (err instanceof Problem && err.status === 401) { this.#close(); return; }
      this.#lost(err instanceof Problem ? err.text : 'The connection to livemon is lost.');
    }
  }
}

// parser takes a stream of events in pieces, however they are cut.
export function parser(event) {
  let rest = [], name = '', data = [];
  const line = (l) => {
    if (l.endsWith('\r')) l = l.slice(0, -1);
    if (l === '') {
      if (data.length) event(name || 'message', data.join('\n'));
      name = '';
      data = [];
      return;
    }
    const i = l.indexOf(':');
    const field = i < 0 ? l : l.slice(0, i);
    let value = i < 0 ? '' : l.slice(i + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (field === 'event') name = value;
    else if (field === 'data') data.push(value);
  };
  return (piece) => {
    const lines = piece.split('\n');
    rest.push(lines[0]);
    if (lines.length === 1) return;
    line(rest.join(''));
    for (let i = 1; i < lines.length - 1; i++) line(lines[i]);
    rest = [lines.at(-1)];
  };
}
