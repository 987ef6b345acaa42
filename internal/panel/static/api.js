// The HTTP API, with the login's cookie.

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? '';

export const account = meta('account');

// Problem is an answer that is no success. code is livemon's or the HTTP status;
// 0 where there was no answer.
export class Problem extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }

  get text() {
    return this.code >= 9000 ? `${this.code}: ${this.message}` : this.message;
  }
}

// toLogin leaves for the login page, which leads back.
export function toLogin() {
  location.assign('/login?why=ended&next=' + encodeURIComponent(location.pathname + location.search));
}

async function ask(method, path, { body, signal, accept } = {}) {
  const headers = { Accept: accept ?? 'application/json' };
  if (method !== 'GET') headers['X-CSRF-Token'] = meta('csrf');
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  let res;
  try {
    res = await fetch(path, {
      method, headers, signal, cache: 'no-store', credentials: 'same-origin', redirect: 'error',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (err) {
    if (signal?.aborted) throw err;
    throw new Problem(0, 0, 'livemon cannot be reached. Check your network, then try again.');
  }
  if (res.status === 401) {
    toLogin();
    throw new Problem(401, 401, 'Your login has ended.');
  }
  return res;
}

async function problem(res) {
  let e = {};
  try { e = await res.json(); } catch { /* a proxy's page: the status says it */ }
  const message = typeof e.message === 'string' && e.message ? e.message : `The answer was ${res.status}.`;
  return new Problem(res.status, Number.isInteger(e.code) ? e.code : res.status, message);
}

export async function call(method, path, body, signal) {
  const res = await ask(method, path, { body, signal });
  if (!res.ok) throw await problem(res);
  return res.status === 204 ? null : res.json();
}

export async function fragment(path, signal) {
  const res = await ask('GET', path, { signal, accept: 'text/html' });
  if (!res.ok) throw new Problem(res.status, res.status, 'This cannot be shown at the moment.');
  const doc = new DOMParser().parseFromString(await res.text(), 'text/html');
  return doc.body.firstElementChild;
}

export async function open(path, signal) {
  const res = await ask('GET', path, { signal, accept: 'text/event-stream' });
  if (!res.ok) throw await problem(res);
  return res;
}

export const sessionPath = (id, more = '') => '/v1/sessions/' + encodeURIComponent(id) + more;
