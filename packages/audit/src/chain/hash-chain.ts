import { hash } from 'node:crypto';
import { messageOf } from '@temper/core/policy';
import { canonicalize, type JsonObject, type JsonValue, quote } from './canonical-json.ts';
import type { AuditActor, AuditEvent } from './event.ts';

/** Version of the format of events, which determines their fields and their hash. */
export const FORMAT = 2;

/** Prefix of what is hashed, so that no hash of one purpose can pass as one of another. */
const EVENT_DOMAIN = 'temper-audit event v2\n';
const GENESIS_DOMAIN = 'temper-audit genesis v2\n';

/** Head of a chain: the last sequence (0 if the chain is empty) and the hash of that event. */
export interface ChainHead {
  readonly sequence: number;
  readonly hash: string;
  /** Identifier of the log; empty in the head of a store that has never held an event. */
  readonly log: string;
}

/** The head of a store without events. */
export const EMPTY_HEAD: ChainHead = Object.freeze({
  sequence: 0,
  hash: '0'.repeat(64),
  log: '',
});

/**
 * The head before the first event of a log. Its hash, the `prev` of the first event, depends on the
 * identifier, so that the chain of one log is not a chain of another.
 */
export function genesis(log: string): ChainHead {
  return { sequence: 0, hash: hash('sha256', GENESIS_DOMAIN + log), log };
}

/** An event with its place in the chain, and its canonical JSON. */
export interface SealedEvent {
  readonly event: AuditEvent;
  /** Canonical JSON of the event, hash included, without a line break. */
  readonly line: string;
  /** Trace flags of the active span, for a sink that links to it. */
  readonly traceFlags: number;
}

/** A mutable event, before it is sealed. */
export type OpenEvent = { -readonly [Field in keyof AuditEvent]: AuditEvent[Field] };

/**
 * An event before its place in the chain is known: serialised except for sequence, prev and hash,
 * which {@link seal} adds. The same object is used throughout, to allocate little per event.
 */
export class Draft implements SealedEvent {
  /** Has sequence 0 and empty hashes until sealed; frozen afterwards. */
  readonly event: AuditEvent;
  readonly traceFlags: number;
  line = '';
  /** Canonical JSON from the opening brace to the position of `hash`. */
  #head: string;
  /** Canonical JSON of `resource`. */
  #resource: string;
  /** Canonical JSON after `sequence`, with the closing brace. */
  #tail: string;

  /** @param details canonical JSON of the event's details */
  constructor(event: OpenEvent, details: string, traceFlags = 0) {
    this.event = event;
    this.traceFlags = traceFlags;
    const { actor, durationMs, error, traceId, spanId } = event;
    let head = `{"action":${quote(event.action)}`;
    if (actor !== undefined) head += `,"actor":${actorText(actor)}`;
    head += `,"details":${details}`;
    if (durationMs !== undefined) head += `,"durationMs":${canonicalize(durationMs)}`;
    if (error !== undefined) head += `,"error":${canonicalize(error as unknown as JsonObject)}`;
    this.#head = `${head},"eventType":${quote(event.eventType)}`;
    this.#resource = quote(event.resource);
    let tail = spanId === undefined ? '' : `,"spanId":"${spanId}"`;
    tail += `,"status":${quote(event.status)},"timestamp":"${event.timestamp}"`;
    if (traceId !== undefined) tail += `,"traceId":"${traceId}"`;
    this.#tail = `${tail},"v":${FORMAT}}`;
  }

  /** Appends the event to the chain after `head`. May be called only once. */
  seal(head: ChainHead): SealedEvent {
    const event = this.event as OpenEvent;
    event.sequence = head.sequence + 1;
    event.prev = head.hash;
    event.log = head.log;
    const rest = `,"id":"${event.id}","log":${quote(head.log)},"prev":"${head.hash}","resource":${this.#resource},"sequence":${event.sequence}${this.#tail}`;
    event.hash = hash('sha256', EVENT_DOMAIN + this.#head + rest);
    this.line = `${this.#head},"hash":"${event.hash}"${rest}`;
    Object.freeze(event);
    this.#head = this.#resource = this.#tail = '';
    return this;
  }
}

function actorText(actor: AuditActor): string {
  // The common case: the actor has only an id.
  return actor.type === undefined && actor.name === undefined
    ? `{"id":${quote(actor.id)}}`
    : canonicalize(actor as unknown as JsonObject);
}

/** A fault of a single line, found without its neighbours. */
export type LineFault =
  | { readonly fault: 'malformed'; readonly message: string }
  | { readonly fault: 'edited'; readonly event: AuditEvent; readonly message: string };

/** A line that matches its hash. */
export interface ValidLine {
  readonly fault?: undefined;
  readonly event: AuditEvent;
}

/**
 * Parses one line and verifies its hash.
 *
 * The text must be canonical: readers could interpret white space or duplicate keys differently.
 */
export function checkLine(line: string): ValidLine | LineFault {
  let event: AuditEvent;
  try {
    event = parseLine(line);
  } catch (error) {
    return { fault: 'malformed', message: messageOf(error) };
  }
  const message = isIntact(line, event) ? undefined : whatWasEdited(line, event);
  return message === undefined ? { event } : { fault: 'edited', event, message };
}

function whatWasEdited(line: string, event: AuditEvent): string | undefined {
  let parts: { readonly head: string; readonly rest: string };
  try {
    parts = aroundHash(event as unknown as JsonObject);
  } catch (error) {
    return messageOf(error); // a value that canonical JSON does not have
  }
  const { head, rest } = parts;
  if (hash('sha256', EVENT_DOMAIN + head + rest) !== event.hash) {
    return 'its content does not match its hash';
  }
  return line === `${head},"hash":"${event.hash}"${rest}`
    ? undefined
    : 'it is not in canonical form';
}

/**
 * A fast check that a line is canonical and matches its hash, without writing its canonical form. A
 * line that fails needs the full check.
 */
function isIntact(line: string, event: AuditEvent): boolean {
  // JSON.stringify keeps the order of the keys, so it reproduces the line unless the line has white
  // space, duplicate keys, or a number or string in another notation.
  if (JSON.stringify(event) !== line || !inOrder(event)) return false;
  const field = `,"hash":"${event.hash}"`;
  const at = line.lastIndexOf(field);
  const text = EVENT_DOMAIN + line.slice(0, at) + line.slice(at + field.length);
  return at > 0 && hash('sha256', text) === event.hash;
}

/** Whether the keys of a value are sorted, at every depth. */
function inOrder(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(inOrder);
  let previous: string | undefined;
  for (const key of Object.keys(value)) {
    if (previous !== undefined && key < previous) return false;
    if (!inOrder((value as Record<string, unknown>)[key])) return false;
    previous = key;
  }
  return true;
}

/**
 * Parses a line without verifying its hash.
 *
 * @throws {TypeError} if it is not an event
 */
export function parseLine(line: string): AuditEvent {
  if (line.length > SHORTEST_DEEP_LINE && isTooDeep(line)) {
    throw new TypeError(`it is nested deeper than ${MAX_NESTING} levels`);
  }
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new TypeError('it is not JSON');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError('it is not a JSON object');
  }
  const event = value as Partial<AuditEvent>;
  if (!Number.isSafeInteger(event.sequence) || (event.sequence as number) < 1) {
    throw new TypeError('it has no sequence');
  }
  if (event.v !== FORMAT) {
    throw new TypeError(
      event.v === undefined
        ? "it has the format 1; convert the log with 'temper-audit migrate'"
        : 'it has a format that this version does not know',
    );
  }
  for (const field of TEXT_FIELDS) {
    if (typeof event[field] !== 'string') throw new TypeError(`it has no ${field}`);
  }
  return event as AuditEvent;
}

/**
 * Deepest nesting of a line. Details have at most 32 levels; what walks through values of any depth ends in an
 * overflow of the stack after some thousands.
 */
const MAX_NESTING = 256;
/** A level has a bracket at its beginning and one at its end. */
const SHORTEST_DEEP_LINE = 2 * MAX_NESTING;

function isTooDeep(line: string): boolean {
  let depth = 0;
  let quoted = false;
  for (let i = 0; i < line.length; i++) {
    const unit = line.charCodeAt(i);
    if (quoted) {
      if (unit === BACKSLASH) i++;
      else if (unit === QUOTE) quoted = false;
    } else if (unit === QUOTE) {
      quoted = true;
    } else if (unit === OPEN_BRACKET || unit === OPEN_BRACE) {
      if (++depth > MAX_NESTING) return true;
    } else if (unit === CLOSE_BRACKET || unit === CLOSE_BRACE) {
      depth--;
    }
  }
  return false;
}

const [QUOTE, BACKSLASH] = [0x22, 0x5c];
const [OPEN_BRACKET, CLOSE_BRACKET, OPEN_BRACE, CLOSE_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d];

const TEXT_FIELDS = [
  'action',
  'eventType',
  'hash',
  'id',
  'log',
  'prev',
  'resource',
  'status',
  'timestamp',
] as const;

/** The canonical JSON of an event without `hash`, split at the position of `hash`. */
function aroundHash(event: JsonObject): { readonly head: string; readonly rest: string } {
  let head = '';
  let rest = '';
  for (const key of Object.keys(event).sort()) {
    if (key === 'hash') continue;
    const field = `,${quote(key)}:${canonicalize(event[key] as JsonValue)}`;
    if (key < 'hash') head += field;
    else rest += field;
  }
  return { head: `{${head.slice(1)}`, rest: `${rest}}` };
}

/** The field by which an event does not continue the chain; undefined if it continues it. */
export function checkLink(
  event: AuditEvent,
  head: ChainHead,
): 'sequence' | 'log' | 'prev' | undefined {
  if (event.sequence !== head.sequence + 1) return 'sequence';
  if (head.log !== '' && event.log !== head.log) return 'log';
  const expected = head.sequence === 0 ? genesis(event.log).hash : head.hash;
  return event.prev === expected ? undefined : 'prev';
}
