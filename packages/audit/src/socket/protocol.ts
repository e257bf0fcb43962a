import { messageOf } from '@temper/core/policy';
import type { AuditEvent } from '../chain/event.ts';
import { AuditUnavailableError } from '../errors.ts';
import type { OpenReport } from '../log/audit-log.ts';
import { checkPlainInput, type PlainInput } from '../log/intake/plain-input.ts';
import type { ServedEvent } from '../log/served-log.ts';
import type { ActiveSpan } from '../telemetry.ts';

/** Version of what client and server send each other. */
const PROTOCOL = 1;
/**
 * Longest line that a server accepts, in bytes: details of the largest size that a log can be told to store,
 * and all other fields at their longest, with every character escaped.
 */
export const MAX_REQUEST_BYTES = 8_388_608;
/** Longest line that a client accepts: an event, in which redaction can have lengthened what was sent. */
export const MAX_ANSWER_BYTES: number = 2 * MAX_REQUEST_BYTES;
const MAX_NAME = 256;

/** Counts of events that a client has not stored as requested. */
export interface ClientLosses {
  readonly refused: number;
  readonly degraded: number;
  readonly dropped: number;
  readonly since: string;
  readonly until: string;
}

/** What a client asks for. `n` numbers the requests of a connection. */
export type Request = { readonly n: number } & (
  | { readonly do: 'ready' }
  | ({
      readonly do: 'store';
      /** Whether the event itself is not wanted in the answer. */
      readonly quiet: boolean;
      /**
       * Set if the event was sent before: it can be in the log after this sequence, and is stored only if it
       * is not.
       */
      readonly again?: number;
      readonly id: string;
    } & ({ readonly event: ServedEvent } | { readonly losses: ClientLosses }))
);

/** What a server answers. */
export type Answer = { readonly n: number } & (
  | { readonly event: AuditEvent }
  | { readonly sequence: number }
  | { readonly report: OpenReport }
  | { readonly error: WireError }
);

/** An error as it is sent. */
interface WireError {
  readonly code: string;
  readonly message: string;
  readonly required?: number;
  readonly failures?: readonly { readonly sink: string; readonly message: string }[];
}

export function hello(client: string): string {
  return JSON.stringify({ temperAudit: PROTOCOL, client });
}

/** @throws {TypeError} if it is none, or of another version */
export function parseHello(line: string): string {
  const { temperAudit, client } = parseObject(line);
  if (temperAudit !== PROTOCOL || typeof client !== 'string' || client.length > MAX_NAME) {
    throw new TypeError('the other side does not speak this version of the protocol');
  }
  return client;
}

/** @param after - a sequence that no later event has */
export function welcome(after: number): string {
  return JSON.stringify({ temperAudit: PROTOCOL, after });
}

/** @throws {TypeError} if it is none, or of another version */
export function parseWelcome(line: string): number {
  const { temperAudit, after } = parseObject(line);
  if (temperAudit !== PROTOCOL || !isCount(after)) {
    throw new TypeError('the other side does not speak this version of the protocol');
  }
  return after;
}

/** The request to store what {@link PlainInput} describes, except for its beginning {@link storeRequest}. */
export function eventBody(id: string, input: PlainInput, span: ActiveSpan | undefined): string {
  const event = { ...input, details: undefined };
  const fields = JSON.stringify(event).slice(0, -1);
  const details = input.details === undefined ? '' : `,"details":${input.details}`;
  const from = span === undefined ? '' : `,"span":${JSON.stringify(span)}`;
  return `"id":"${id}","event":${fields}${details}}${from}}`;
}

export function lossesBody(id: string, losses: ClientLosses): string {
  return `"id":"${id}","losses":${JSON.stringify(losses)}}`;
}

/** A complete request from a body. */
export function storeRequest(n: number, body: string, quiet: boolean, again?: number): string {
  const resent = again === undefined ? '' : `"again":${again},`;
  return `{"n":${n},"do":"store","quiet":${quiet},${resent}${body}`;
}

export function readyRequest(n: number): string {
  return JSON.stringify({ n, do: 'ready' });
}

/** @throws {TypeError} if it is no request */
export function parseRequest(line: string): Request {
  const { n, do: what, id, quiet, again, event, losses, span } = parseObject(line);
  if (!isCount(n)) throw new TypeError('a request has no number');
  if (what === 'ready') return { n, do: what };
  if (what !== 'store' || typeof quiet !== 'boolean' || !isId(id)) {
    throw new TypeError('a request is not known');
  }
  if (again !== undefined && !isCount(again)) throw new TypeError('a request has a wrong sequence');
  const store = { n, do: what, quiet, id, ...(again === undefined ? {} : { again }) } as const;
  if (losses !== undefined) return { ...store, losses: checkLosses(losses) };
  const input = checkPlainInput(event);
  return { ...store, event: { id, input, span: span === undefined ? undefined : checkSpan(span) } };
}

/** @throws {TypeError} if it is no answer */
export function parseAnswer(line: string): Answer {
  const answer = parseObject(line);
  if (!isCount(answer.n)) throw new TypeError('an answer has no number');
  if (isObject(answer.event) && isCount(answer.event.sequence)) return answer as unknown as Answer;
  if (isCount(answer.sequence) || isObject(answer.report)) return answer as unknown as Answer;
  if (isObject(answer.error) && typeof answer.error.message === 'string') {
    return answer as unknown as Answer;
  }
  throw new TypeError('an answer is not known');
}

/** What a request has failed with, as an answer. */
export function errorAnswer(n: number, error: unknown): string {
  const code = isObject(error) && typeof error.code === 'string' ? error.code : '';
  const wire: WireError = {
    code: error instanceof TypeError ? 'TYPE' : code,
    message: messageOf(error),
    ...(error instanceof AuditUnavailableError
      ? {
          required: error.required,
          failures: error.failures.map(({ sink, error: failure }) => ({
            sink,
            message: messageOf(failure),
          })),
        }
      : {}),
  };
  return JSON.stringify({ n, error: wire });
}

/** The error of an answer. Whatever is not the caller's mistake means that the event is not stored. */
export function errorFrom(log: string, { code, message, required, failures }: WireError): Error {
  if (code === 'TYPE') return new TypeError(message);
  if (code === 'AUDIT_UNAVAILABLE' && isCount(required) && Array.isArray(failures)) {
    const each = failures.map((failure) => ({
      sink: String(failure?.sink),
      error: new Error(String(failure?.message)),
    }));
    return new AuditUnavailableError(log, required, each);
  }
  return new AuditUnavailableError(log, 1, [{ sink: 'socket', error: new Error(message) }]);
}

function parseObject(line: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    throw new TypeError('a line is not JSON');
  }
  if (isObject(value)) return value;
  throw new TypeError('a line is not a JSON object');
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isId(value: unknown): value is string {
  return (
    typeof value === 'string' &&
    /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(value)
  );
}

function checkLosses(value: unknown): ClientLosses {
  if (isObject(value)) {
    const { refused, degraded, dropped, since, until } = value;
    if (isCount(refused) && isCount(degraded) && isCount(dropped) && isTime(since) && isTime(until))
      return { refused, degraded, dropped, since, until };
  }
  throw new TypeError('a request has wrong losses');
}

function isTime(value: unknown): value is string {
  return typeof value === 'string' && /^[+-]?\d{4,6}-\d\d-\d\dT[\d:.]{8,12}Z$/.test(value);
}

function checkSpan(value: unknown): ActiveSpan {
  if (isObject(value)) {
    const { traceId, spanId, traceFlags } = value;
    if (isHex(traceId, 32) && isHex(spanId, 16) && isCount(traceFlags) && traceFlags <= 0xff) {
      return { traceId, spanId, traceFlags };
    }
  }
  throw new TypeError('a request has a wrong span');
}

function isHex(value: unknown, digits: number): value is string {
  return typeof value === 'string' && value.length === digits && /^[0-9a-f]+$/.test(value);
}
