import { hash } from 'node:crypto';
import { canonicalize, type JsonObject, type JsonValue, quote } from './canonical-json.ts';
import type { AuditActor, AuditEvent } from './event.ts';

/** What the first event of a log has as `prev`. */
export const GENESIS_HASH: string = '0'.repeat(64);

/** Where a chain stands: its last sequence (0 when empty) and that event's hash. */
export interface ChainHead {
  readonly sequence: number;
  readonly hash: string;
}

/** The head of a log without events. */
export const EMPTY_HEAD: ChainHead = Object.freeze({ sequence: 0, hash: GENESIS_HASH });

/** An event in its place, and its one line of canonical JSON. */
export interface SealedEvent {
  readonly event: AuditEvent;
  /** Canonical JSON of the event, hash included, without a line break. */
  readonly line: string;
  /** Flags of the span that was active, for a sink that links to it. */
  readonly traceFlags: number;
}

/** An event whose place is still open. */
export type OpenEvent = { -readonly [Field in keyof AuditEvent]: AuditEvent[Field] };

/**
 * An event on its way into the log: serialised but for sequence, prev and hash, and sealed when it is
 * given those. One object all the way, as a busy log makes very many.
 */
export class Draft implements SealedEvent {
  /** Sequence 0 and empty hashes until it is sealed; frozen from then on. */
  readonly event: AuditEvent;
  readonly traceFlags: number;
  line = '';
  /** Canonical JSON from the opening brace up to where `hash` belongs. */
  #head: string;
  /** Canonical JSON of `resource`. */
  #resource: string;
  /** Canonical JSON after `sequence`, with the closing brace. */
  #tail: string;

  /** @param details - canonical JSON of the event's details */
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
    this.#tail = traceId === undefined ? `${tail}}` : `${tail},"traceId":"${traceId}"}`;
  }

  /** Gives the event its place behind `head`. Once only. */
  seal(head: ChainHead): SealedEvent {
    const event = this.event as OpenEvent;
    event.sequence = head.sequence + 1;
    event.prev = head.hash;
    const rest = `,"id":"${event.id}","prev":"${head.hash}","resource":${this.#resource},"sequence":${event.sequence}${this.#tail}`;
    event.hash = hash('sha256', this.#head + rest);
    this.line = `${this.#head},"hash":"${event.hash}"${rest}`;
    Object.freeze(event);
    this.#head = this.#resource = this.#tail = '';
    return this;
  }
}

function actorText(actor: AuditActor): string {
  // Most have nothing but an id.
  return actor.type === undefined && actor.name === undefined
    ? `{"id":${quote(actor.id)}}`
    : canonicalize(actor as unknown as JsonObject);
}

/** What is wrong with a line of the log by itself, without looking at its neighbours. */
export type LineFault =
  | { readonly fault: 'malformed'; readonly message: string }
  | { readonly fault: 'edited'; readonly event: AuditEvent; readonly message: string };

/** A line that is what the log wrote. */
export interface SoundLine {
  readonly fault?: undefined;
  readonly event: AuditEvent;
}

/**
 * Reads one line and checks it against its own hash.
 *
 * The text has to be canonical: a line with white space or with a key twice could mean one thing to
 * this reader and another to the next.
 */
export function checkLine(line: string): SoundLine | LineFault {
  let event: AuditEvent;
  try {
    event = parseLine(line);
  } catch (error) {
    return { fault: 'malformed', message: (error as Error).message };
  }
  if (!isSound(line, event)) {
    const { head, rest } = aroundHash(event as unknown as JsonObject);
    if (hash('sha256', head + rest) !== event.hash) {
      return { fault: 'edited', event, message: 'its content does not match its hash' };
    }
    if (line !== `${head},"hash":"${event.hash}"${rest}`) {
      return { fault: 'edited', event, message: 'it is not in canonical form' };
    }
  }
  return { event };
}

/**
 * Whether a line is beyond doubt canonical and what its hash says, found out without writing its
 * canonical form. A line for which this says no has to be looked at again.
 */
function isSound(line: string, event: AuditEvent): boolean {
  // The serialiser writes keys in the order in which they were read, so it gives the line back unless
  // there is white space, a key twice, or a number or string written in another way.
  if (JSON.stringify(event) !== line || !inOrder(event)) return false;
  const field = `,"hash":"${event.hash}"`;
  const at = line.lastIndexOf(field);
  return at > 0 && hash('sha256', line.slice(0, at) + line.slice(at + field.length)) === event.hash;
}

/** Whether the keys of a value, and of everything in it, are in order. */
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
 * Reads a line without checking its hash.
 *
 * @throws {TypeError} when it is not an event
 */
export function parseLine(line: string): AuditEvent {
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
  for (const field of TEXT_FIELDS) {
    if (typeof event[field] !== 'string') throw new TypeError(`it has no ${field}`);
  }
  return event as AuditEvent;
}

const TEXT_FIELDS = [
  'action',
  'eventType',
  'hash',
  'id',
  'prev',
  'resource',
  'status',
  'timestamp',
] as const;

/** The canonical JSON of an event, cut where `hash` belongs, without it. */
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

/** How an event follows another. Undefined when it does. */
export function checkLink(event: AuditEvent, head: ChainHead): 'sequence' | 'prev' | undefined {
  if (event.sequence !== head.sequence + 1) return 'sequence';
  return event.prev === head.hash ? undefined : 'prev';
}
