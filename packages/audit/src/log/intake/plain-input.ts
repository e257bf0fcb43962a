import type { AuditActor, AuditError, AuditEventInput } from '../../chain/event.ts';
import { OWN_EVENT_TYPE } from '../own-events.ts';
import { sanitise } from './details.ts';
import { ErrorParts, MAX_CAUSES, readError } from './error-info.ts';
import {
  checkActor,
  checkFields,
  checkObject,
  checkText,
  checkWord,
  duration,
  FIELDS,
} from './intake.ts';
import { Redactor } from './redaction.ts';

/**
 * Limits beyond those that a log can be told, so that the log truncates, and marks, what it would have
 * truncated in its own process. Redaction is the log's: it must see what it would have seen.
 */
const LIMITS = { maxBytes: 1_310_720, maxStringLength: 66_560, maxEntries: 10_001, maxDepth: 33 };
const nothing = new Redactor({ rules: [] });

/** A thrown value as it is sent. */
interface PlainError {
  readonly name: string;
  readonly message?: string;
  readonly value?: object;
  readonly code?: string;
  readonly cause?: PlainError;
}

/** An event as it is sent to the process that has the log: plain, bounded and not redacted. */
export interface PlainInput extends Omit<AuditEventInput, 'details' | 'error'> {
  /** JSON. */
  readonly details: string | undefined;
  readonly error?: PlainError;
}

/**
 * Copies an event at once, like a log in this process: later changes of what the caller has passed have no
 * effect, and none of its code runs.
 *
 * @throws {TypeError} if the event does not match {@link AuditEventInput}
 */
export function plainInput(input: AuditEventInput): PlainInput {
  checkFields('An audit event', checkObject('event', input), FIELDS);
  const { details, actor, error, durationMs } = input;
  if (input.eventType === OWN_EVENT_TYPE) {
    throw new TypeError(
      `The eventType '${OWN_EVENT_TYPE}' is reserved for events that an audit log writes about itself.`,
    );
  }
  if (actor !== undefined) checkActor(actor);
  return {
    eventType: checkWord('eventType', input.eventType),
    action: checkWord('action', input.action),
    resource: bounded(checkText('resource', input.resource)),
    status: checkWord('status', input.status),
    details:
      details === undefined
        ? undefined
        : sanitise(checkObject('details', details), 'details', nothing, LIMITS).text,
    ...(actor === undefined ? {} : { actor: plainActor(actor) }),
    ...(error === undefined || error === null ? {} : { error: plainError(error, 1) }),
    ...(durationMs === undefined ? {} : { durationMs: duration(durationMs) }),
  };
}

function bounded(text: string): string {
  return text.length > LIMITS.maxStringLength ? text.slice(0, LIMITS.maxStringLength) : text;
}

function plainActor(actor: string | AuditActor): string | AuditActor {
  if (typeof actor === 'string') return bounded(actor);
  const { id, type, name } = actor;
  return {
    id: bounded(id),
    ...(type === undefined ? {} : { type: bounded(type) }),
    ...(name === undefined ? {} : { name: bounded(name) }),
  };
}

function plainError(thrown: unknown, depth: number): PlainError {
  const { name, said, code, cause } = readError(thrown);
  return {
    name: bounded(name),
    ...('message' in said
      ? { message: bounded(said.message) }
      : { value: sanitise(said.value, 'error', nothing, LIMITS).value }),
    ...(code === undefined ? {} : { code: bounded(String(code)) }),
    ...(cause === undefined || depth >= MAX_CAUSES ? {} : { cause: plainError(cause, depth + 1) }),
  };
}

/**
 * An event that was sent, as a log takes it. The log checks the rest.
 *
 * @throws {TypeError} if its error is not one that was sent
 */
export function checkPlainInput(sent: unknown): AuditEventInput {
  const input = checkObject('event', sent) as AuditEventInput & { readonly error?: unknown };
  return input.error === undefined ? input : { ...input, error: errorParts(input.error, 1) };
}

function errorParts(sent: unknown, depth: number): ErrorParts {
  const { name, message, value, code, cause } = checkObject('error', sent) as Record<
    keyof AuditError | 'value',
    unknown
  >;
  if (typeof name !== 'string' || (code !== undefined && typeof code !== 'string')) {
    throw new TypeError('The name and the code of a sent error must be strings.');
  }
  return new ErrorParts({
    name,
    said: typeof message === 'string' ? { message } : { value: checkObject('error.value', value) },
    code,
    cause: cause === undefined || depth >= MAX_CAUSES ? undefined : errorParts(cause, depth + 1),
  });
}
