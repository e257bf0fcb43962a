import { randomFillSync } from 'node:crypto';
import { show } from '@temper/core/policy';
import type { AuditActor, AuditEventInput } from '../../chain/event.ts';
import { Draft, FORMAT, type OpenEvent } from '../../chain/hash-chain.ts';
import type { ActiveSpan } from '../../telemetry.ts';
import { type AuditLimits, type Sanitised, sanitise, sanitiseText } from './details.ts';
import { errorInfo } from './error-info.ts';
import type { Redactor } from './redaction.ts';
import { uuidV7Generator } from './uuid-v7.ts';

/** Maximum length of `eventType`, `action` and `status`. */
const MAX_WORD = 256;
const NO_DETAILS: Sanitised = { value: Object.freeze({}), text: '{}' };
/** The fields of an event as the caller passes it. */
export const FIELDS: Readonly<Record<keyof AuditEventInput, true>> = {
  eventType: true,
  action: true,
  resource: true,
  status: true,
  actor: true,
  details: true,
  error: true,
  durationMs: true,
};
const ACTOR_FIELDS: Readonly<Record<keyof AuditActor, true>> = { id: true, type: true, name: true };
/** The years 1 to 9999: beyond them a timestamp does not sort as text, and not every store has them. */
const [FIRST_MS, LAST_MS] = [-62_135_596_800_000, 253_402_300_799_999];
/** Maximum number of validated words to cache. */
const MAX_WORDS = 1_000;

/** Where an event comes from that another process has passed to the log. */
export interface EventOrigin {
  /** The id that the other process has given it: a UUID of version 7. */
  readonly id: string;
  /** The span that was active there. */
  readonly span: ActiveSpan | undefined;
}

/** Options of {@link Intake}. */
export interface IntakeOptions {
  readonly now: () => number;
  readonly activeSpan: () => ActiveSpan | undefined;
  readonly redactor: Redactor;
  readonly limits: Required<AuditLimits>;
}

/**
 * Prepares events: validates, limits and redacts them, adds id, timestamp and trace, and serialises
 * them, so that only their place in the chain is missing.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #nextId: () => string;
  readonly #words: Set<string> = new Set();
  #lastMs = Number.NaN;
  #lastTimestamp = '';

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#nextId = uuidV7Generator(options.now, randomFillSync);
  }

  /**
   * @param origin - of an event of another process
   * @throws {TypeError} if the event does not match {@link AuditEventInput}
   */
  prepare(input: AuditEventInput, origin?: EventOrigin): Draft {
    const { redactor, limits } = this.#options;
    if (typeof input !== 'object' || input === null) {
      throw new TypeError(`An audit event must be an object, got ${show(input)}.`);
    }
    checkFields('An audit event', input, FIELDS);
    const { details, actor, error, durationMs } = input;
    const sanitised =
      details === undefined
        ? NO_DETAILS
        : sanitise(checkObject('details', details), 'details', redactor, limits);
    const event: OpenEvent = {
      id: origin?.id ?? this.#nextId(),
      sequence: 0,
      timestamp: this.#timestamp(),
      eventType: this.#word('eventType', input.eventType),
      action: this.#word('action', input.action),
      resource: this.#text('resource', checkText('resource', input.resource)),
      status: this.#word('status', input.status),
      details: sanitised.value,
      v: FORMAT,
      log: '',
      prev: '',
      hash: '',
    };
    if (actor !== undefined) event.actor = this.#actor(actor);
    if (error !== undefined && error !== null) event.error = errorInfo(error, redactor, limits);
    if (durationMs !== undefined) event.durationMs = duration(durationMs);
    const span = origin === undefined ? this.#options.activeSpan() : origin.span;
    if (span === undefined) return new Draft(event, sanitised.text);
    event.traceId = span.traceId;
    event.spanId = span.spanId;
    return new Draft(event, sanitised.text, span.traceFlags);
  }

  /** Event types, actions and statuses have few distinct values, so validated ones are cached. */
  #word(field: string, value: unknown): string {
    if (this.#words.has(value as string)) return value as string;
    const checked = checkWord(field, value);
    if (this.#words.size < MAX_WORDS) this.#words.add(checked);
    return checked;
  }

  /** Formatting the time is the most expensive step, so the text is cached per millisecond. */
  #timestamp(): string {
    const now = this.#options.now();
    if (now !== this.#lastMs) {
      this.#lastMs = now;
      this.#lastTimestamp = new Date(Math.min(Math.max(now, FIRST_MS), LAST_MS)).toISOString();
    }
    return this.#lastTimestamp;
  }

  #text(field: string, text: string, key?: string): string {
    const { redactor, limits } = this.#options;
    const state = redactor.start(field);
    const action = redactor.actionAt(key === undefined ? state : redactor.descend(state, key));
    const path = key === undefined ? field : `${field}.${key}`;
    return action === undefined
      ? sanitiseText(text, redactor, limits.maxStringLength, path)
      : redactor.replacement(action, text, path);
  }

  #actor(actor: string | AuditActor): AuditActor {
    checkActor(actor);
    if (typeof actor === 'string') return Object.freeze({ id: this.#text('actor', actor, 'id') });
    const { id, type, name } = actor;
    const { redactor } = this.#options;
    const dropped = (field: string): boolean =>
      redactor.actionAt(redactor.descend(redactor.start('actor'), field)) === 'drop';
    return Object.freeze({
      id: this.#text('actor', id, 'id'),
      ...(type === undefined || dropped('type')
        ? undefined
        : { type: this.#text('actor', type, 'type') }),
      ...(name === undefined || dropped('name')
        ? undefined
        : { name: this.#text('actor', name, 'name') }),
    });
  }
}

/** @throws {TypeError} unless `value` is a non-empty string */
export function checkText(field: string, value: unknown): string {
  if (typeof value !== 'string' || value.length === 0) {
    throw new TypeError(
      `An audit event's ${field} must be a non-empty string, got ${show(value)}.`,
    );
  }
  return value;
}

/** @throws {TypeError} unless `value` is well-formed text of 1 to 256 characters without NUL */
export function checkWord(field: string, value: unknown): string {
  const text = checkText(field, value);
  if (text.length > MAX_WORD || !text.isWellFormed() || text.includes('\0')) {
    throw new TypeError(
      `An audit event's ${field} must be well-formed text of at most ${MAX_WORD} characters, got ${show(text)}.`,
    );
  }
  return text;
}

/** @throws {TypeError} unless `actor` is a non-empty string or an {@link AuditActor} */
export function checkActor(actor: unknown): void {
  if (typeof actor !== 'object' || actor === null) {
    checkText('actor', actor);
    return;
  }
  checkFields("An audit event's actor", actor, ACTOR_FIELDS);
  const { id, type, name } = actor as Partial<AuditActor>;
  checkText('actor.id', id);
  if (type !== undefined) checkText('actor.type', type);
  if (name !== undefined) checkText('actor.name', name);
}

/** @throws {TypeError} if `value` has a field that is not known, so that a misspelt one is not lost */
export function checkFields(
  what: string,
  value: object,
  known: Readonly<Record<string, true>>,
): void {
  for (const field in value) {
    if (Object.hasOwn(known, field)) continue;
    // What somebody has added to Object.prototype is not meant for us.
    if (!Object.hasOwn(value, field) && field in Object.prototype) continue;
    const names = Object.keys(known).join(', ');
    throw new TypeError(`${what} has the unknown field ${show(field)}; known are ${names}.`);
  }
}

/** @throws {TypeError} unless `value` is an object */
export function checkObject(field: string, value: unknown): object {
  if (typeof value !== 'object' || value === null) {
    throw new TypeError(`An audit event's ${field} must be an object, got ${show(value)}.`);
  }
  return value;
}

/** @throws {TypeError} unless `value` is a number >= 0 */
export function duration(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new TypeError(`An audit event's durationMs must be a number >= 0, got ${show(value)}.`);
  }
  return value;
}
