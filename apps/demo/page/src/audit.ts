import { call } from './api.ts';
import { byId, el, set, setText } from './dom.ts';
import type { AuditAnswer, AuditEvent } from './wire.ts';

const SHOWN = 12;
const HASH_LENGTH = 10;

/** The last events of the audit log and the result of its verification. */
export class AuditPanel {
  readonly #verified = el('p', { class: 'verified', id: 'verified' }, 'Verifying…');
  readonly #rows = el('tbody');
  readonly #events = new Map<number, AuditEvent>();

  constructor() {
    const heads = ['No.', 'Time', 'Action', 'Resource', 'Status', 'Hash', 'Previous hash'];
    byId('panel-audit').append(
      this.#verified,
      el(
        'div',
        {
          class: 'scroll',
          tabindex: 0,
          role: 'region',
          'aria-label': 'Last events of the audit log',
        },
        el(
          'table',
          {},
          el('caption', { class: 'hidden' }, 'Each event contains the hash of the previous event.'),
          el('thead', {}, el('tr', {}, ...heads.map((head) => el('th', { scope: 'col' }, head)))),
          this.#rows,
        ),
      ),
    );
  }

  /** Fetches the last events and a verification of the whole chain. */
  async load(): Promise<void> {
    const answer = await call<AuditAnswer>('GET', `/v1/audit?limit=${SHOWN}`, { traced: false });
    if (!answer.ok) return;
    const { events, verification, durable } = answer.data;
    const { ok, last, checkpoints, problem } = verification;
    const where = durable ? 'on disk' : 'in memory';
    setText(
      this.#verified,
      ok
        ? `Verified up to event ${last}: the hash chain is intact, and ${checkpoints.trusted} signed checkpoints match. Stored ${where}.`
        : `The hash chain is broken at event ${problem?.sequence ?? '?'}: ${problem?.reason ?? 'unknown'}.`,
    );
    this.#verified.dataset.ok = String(ok);
    this.add(events);
  }

  add(events: readonly AuditEvent[]): void {
    for (const event of events) this.#events.set(event.sequence, event);
    const last = [...this.#events.keys()].sort((a, b) => b - a);
    for (const sequence of last.slice(SHOWN + 1)) this.#events.delete(sequence);
    const shown = last.slice(0, SHOWN).map((sequence) => this.#events.get(sequence) as AuditEvent);
    this.#rows.replaceChildren(...shown.map((event) => this.#row(event)));
  }

  #row({ sequence, timestamp, action, resource, status, hash, prev }: AuditEvent): HTMLElement {
    const before = this.#events.get(sequence - 1);
    const linked = before === undefined ? undefined : before.hash === prev;
    const link = el(
      'span',
      { class: 'chain' },
      linked === false ? '✗ not linked' : linked ? '↳ linked' : '↳',
    );
    set(link, { 'data-ok': String(linked !== false) });
    return el(
      'tr',
      {},
      el('td', {}, String(sequence)),
      el('td', {}, new Date(timestamp).toTimeString().slice(0, 8)),
      el('td', {}, action.replaceAll('_', ' ')),
      el('td', { class: 'resource' }, resource),
      el('td', { class: `is-text-${status}` }, status),
      el('td', {}, el('code', {}, hash.slice(0, HASH_LENGTH))),
      el('td', {}, el('code', {}, prev.slice(0, HASH_LENGTH)), ' ', link),
    );
  }
}
