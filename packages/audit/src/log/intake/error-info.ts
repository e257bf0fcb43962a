import { types } from 'node:util';
import { safeLines } from '@temper/core/policy';
import type { AuditError } from '../../chain/event.ts';
import { type AuditLimits, sanitise, sanitiseText } from './details.ts';
import { dataProperty, errorName } from './exotic-values.ts';
import type { Redactor } from './redaction.ts';

/** Maximum length of a chain of causes, the error itself included. */
export const MAX_CAUSES = 3;
const MAX_NAME = 256;
/** Most lines of a message. */
const MAX_LINES = 100;
/** Text beyond the truncation point that is scrubbed too, so that what is truncated is marked as such. */
const MARGIN = 256;

/**
 * Copies a thrown value into plain data: name, message, code and causes. Accessors are not called,
 * control characters and credentials are removed, and the redaction rules for `error` are applied.
 */
export function errorInfo(
  thrown: unknown,
  redactor: Redactor,
  limits: Required<AuditLimits>,
): AuditError {
  return describe(thrown, redactor, limits, 0);
}

function describe(
  thrown: unknown,
  redactor: Redactor,
  limits: Required<AuditLimits>,
  depth: number,
): AuditError {
  const { name, said, code, cause } = readError(thrown);
  const message =
    'message' in said ? said.message : sanitise(said.value, 'error', redactor, limits).text;
  const clean = (field: string, text: string, max: number): string => {
    const state = redactor.descend(redactor.start('error'), field);
    const closed = field !== 'name' && redactor.isClosed(state);
    const action = redactor.actionAt(state) ?? (closed ? 'mask' : undefined);
    if (action !== undefined) return redactor.replacement(action, text, `error.${field}`);
    const safe = safeLines(text, MAX_LINES, max + MARGIN);
    return sanitiseText(safe, redactor, max, `error.${field}`);
  };
  return Object.freeze({
    name: clean('name', name, MAX_NAME),
    message: clean('message', message, limits.maxStringLength),
    ...(code === undefined || redactsAway(redactor, 'code')
      ? undefined
      : { code: clean('code', String(code), MAX_NAME) }),
    ...(cause === undefined || depth + 1 >= MAX_CAUSES || redactsAway(redactor, 'cause')
      ? undefined
      : { cause: describe(cause, redactor, limits, depth + 1) }),
  });
}

function redactsAway(redactor: Redactor, field: string): boolean {
  return redactor.actionAt(redactor.descend(redactor.start('error'), field)) === 'drop';
}

/** What was read from a thrown value, before redaction. */
interface ErrorContent {
  readonly name: string;
  /** The message, or what to write in its place as JSON. */
  readonly said: { readonly message: string } | { readonly value: object };
  readonly code?: string | number | undefined;
  readonly cause?: unknown;
}

/** A thrown value that was read already, such as in another process. */
export class ErrorParts implements ErrorContent {
  readonly name: string;
  readonly said: ErrorContent['said'];
  readonly code: string | number | undefined;
  /** Another thrown value, read or not; undefined if there is none. */
  readonly cause: unknown;

  constructor({ name, said, code, cause }: ErrorContent) {
    this.name = name;
    this.said = said;
    this.code = code;
    this.cause = cause;
  }
}

/** Reads a thrown value without calling its accessors. */
export function readError(thrown: unknown): ErrorParts {
  return thrown instanceof ErrorParts ? thrown : new ErrorParts(contentOf(thrown));
}

function contentOf(thrown: unknown): ErrorContent {
  if (typeof thrown === 'string') return { name: 'Error', said: { message: thrown } };
  if (typeof thrown !== 'object' || thrown === null) {
    return { name: typeof thrown, said: { value: { thrown } } };
  }
  if (!types.isProxy(thrown) && thrown instanceof DOMException) {
    const { name, message } = domException(thrown);
    return { name, said: { message }, cause: dataProperty(thrown, 'cause') };
  }
  const message = dataProperty(thrown, 'message');
  const code = dataProperty(thrown, 'code');
  return {
    name: errorName(thrown),
    said: typeof message === 'string' ? { message } : { value: thrown },
    code: typeof code === 'string' || typeof code === 'number' ? code : undefined,
    cause: dataProperty(thrown, 'cause'),
  };
}

const accessors = Object.getOwnPropertyDescriptors(DOMException.prototype);

/** Name and message of a DOMException are accessors; the native ones are safe to call. */
function domException(value: DOMException): { readonly name: string; readonly message: string } {
  try {
    return {
      name: accessors.name.get?.call(value) as string,
      message: accessors.message.get?.call(value) as string,
    };
  } catch {
    return { name: 'DOMException', message: '' };
  }
}
