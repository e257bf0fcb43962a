import { randomFillSync } from 'node:crypto';
import { show } from '@temper/core';
import { type AuditLimits, sanitise, sanitiseText } from './details.ts';
import { errorInfo } from './error-info.ts';
import type { AuditActor, AuditEventInput } from './event.ts';
import { type PreparedEvent, prepare } from './hash-chain.ts';
import type { Redactor } from './redaction.ts';
import type { ActiveSpan } from './telemetry.ts';
import { uuidV7Generator } from './uuid-v7.ts';

/** Longest word that names a kind, an action or a status. */
const MAX_WORD = 256;
const NO_DETAILS = Object.freeze({});

/** What the intake needs from around it. */
export interface IntakeOptions {
  readonly now: () => number;
  readonly activeSpan: () => ActiveSpan | undefined;
  readonly redactor: Redactor;
  readonly limits: Required<AuditLimits>;
}

/**
 * Where events come in: checks them, bounds and redacts them, gives them id, time and trace, and
 * serialises them, so that all that is left is to give them their place in the chain.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #nextId: () => string;
  #lastMs = Number.NaN;
  #lastTimestamp = '';

  constructor(options: IntakeOptions) {
    this.#options = options;
    this.#nextId = uuidV7Generator(options.now, randomFillSync);
  }

  /** @throws {TypeError} when the event is not what {@link AuditEventInput} says */
  prepare(input: AuditEventInput): PreparedEvent {
    const { redactor, limits } = this.#options;
    const { eventType, action, resource, status, actor, details, error, durationMs } = input;
    const span = this.#options.activeSpan();
    const sanitised =
      details === undefined || details === null
        ? undefined
        : sanitise(checkObject('details', details), 'details', redactor, limits);
    return prepare(
      {
        id: this.#nextId(),
        timestamp: this.#timestamp(),
        eventType: word('eventType', eventType),
        action: word('action', action),
        resource: this.#text('resource', filled('resource', resource)),
        status: word('status', status),
        details: sanitised?.value ?? NO_DETAILS,
        ...(actor === undefined || actor === null ? undefined : { actor: this.#actor(actor) }),
        ...(error === undefined || error === null
          ? undefined
          : { error: errorInfo(error, redactor, limits) }),
        ...(durationMs === undefined ? undefined : { durationMs: duration(durationMs) }),
        ...(span === undefined ? undefined : { traceId: span.traceId, spanId: span.spanId }),
      },
      sanitised?.text ?? '{}',
      span?.traceFlags,
    );
  }

  /** Formatting a time costs more than anything else here, and it changes once a millisecond. */
  #timestamp(): string {
    const now = this.#options.now();
    if (now !== this.#lastMs) {
      this.#lastMs = now;
      this.#lastTimestamp = new Date(now).toISOString();
    }
    return this.#lastTimestamp;
  }

  #text(path: string, text: string): string {
    const { redactor, limits } = this.#options;
    const [root = '', ...rest] = path.split('.');
    let state = redactor.start(root);
    for (const segment of rest) state = redactor.descend(state, segment);
    const action = redactor.actionAt(state);
    return action === undefined
      ? sanitiseText(text, redactor, limits.maxStringLength)
      : redactor.replacement(action, text);
  }

  #actor(actor: string | AuditActor): AuditActor {
    if (typeof actor === 'string') {
      return Object.freeze({ id: this.#text('actor.id', filled('actor', actor)) });
    }
    const { id, type, name } = checkObject('actor', actor) as AuditActor;
    const { redactor } = this.#options;
    const dropped = (field: string): boolean =>
      redactor.actionAt(redactor.descend(redactor.start('actor'), field)) === 'drop';
    return Object.freeze({
      id: this.#text('actor.id', filled('actor.id', id)),
      ...(type === undefined || dropped('type')
        ? undefined
        : { type: this.#text('actor.type', filled('actor.type', type)) }),
      ...(name === undefined || dropped('name')
        ? undefined
        : { name: this.#text('actor.name', filled('actor.name', name)) }),
    });
  }
}

function filled(field: string, value: unknown): string {
  if (typeof value !== 'string' || value.length === 0) {
    throw new TypeError(
      `An audit event's ${field} must be a non-empty string, got ${show(value)}.`,
    );
  }
  return value;
}

function word(field: string, value: unknown): string {
  const text = filled(field, value);
  if (text.length > MAX_WORD || !text.isWellFormed() || text.includes('\0')) {
    throw new TypeError(
      `An audit event's ${field} must be well-formed text of at most ${MAX_WORD} characters, got ${show(text)}.`,
    );
  }
  return text;
}

function checkObject(field: string, value: unknown): object {
  if (typeof value !== 'object' || value === null) {
    throw new TypeError(`An audit event's ${field} must be an object, got ${show(value)}.`);
  }
  return value;
}

function duration(value: unknown): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) {
    throw new TypeError(`An audit event's durationMs must be a number >= 0, got ${show(value)}.`);
  }
  return value;
}
