// Who has logged in, and what he may do. The service decides; this is only to say
// beforehand what it would refuse.

import { account, call } from './api.js';

const waiting = [];
export const me = { account, extension: '', rights: null }; // null: not known yet

// readMe asks anew; whoever gave a function to onMe is told.
export async function readMe() {
  try {
    const a = await call('GET', '/v1/accounts/' + encodeURIComponent(account));
    me.extension = typeof a.extension === 'string' ? a.extension : '';
    me.rights = new Set(Array.isArray(a.rights) ? a.rights : []);
  } catch {
    return; // what was known counts; the service refuses what it must
  }
  for (const f of waiting) f();
}

export const onMe = (f) => { waiting.push(f); };

export const may = (right) => me.rights === null || me.rights.has(right);
