import type { Classification } from '@temper/core';
import {
  DependencyCycleError,
  IntegrityError,
  LanguageDefinitionError,
  LspClosedError,
  LspExitError,
  LspRequestError,
  LspTimeoutError,
  LspUnavailableError,
  OutputLimitError,
  PackageNotFoundError,
  ParseError,
  ProtocolValidationError,
  RegistryConnectionError,
  RegistryResponseError,
  RegistryTimeoutError,
  StepBudgetError,
  TypeCheckError,
  UnsupportedConstructError,
  VersionConflictError,
} from '@temper/parsercraft';
import type { ErrorKind } from '@temper/parsercraft-handlers';

interface Mark {
  readonly kind: ErrorKind;
  readonly classification: Classification;
}

const INVALID: Mark = {
  kind: 'invalid',
  classification: { category: 'validation', severity: 'medium', transient: false },
};
const UNSUPPORTED: Mark = {
  kind: 'unsupported',
  classification: { category: 'internal', severity: 'high', transient: false },
};
const CONNECTION: Mark = {
  kind: 'connection',
  classification: { category: 'network', severity: 'high', transient: true },
};
const TIMEOUT: Mark = {
  kind: 'timeout',
  classification: { category: 'timeout', severity: 'medium', transient: true },
};

type ErrorClass = abstract new (...parameters: never[]) => Error;

/** The toolchain knows nothing of guards; here is said what its errors mean to them. */
const MARKS: readonly (readonly [Mark, readonly ErrorClass[]])[] = [
  [
    INVALID,
    [
      ParseError,
      TypeCheckError,
      LanguageDefinitionError,
      ProtocolValidationError,
      // Whoever writes a program without an end has written it himself.
      StepBudgetError,
      OutputLimitError,
      PackageNotFoundError,
      VersionConflictError,
      DependencyCycleError,
    ],
  ],
  [UNSUPPORTED, [UnsupportedConstructError]],
  [TIMEOUT, [RegistryTimeoutError, LspTimeoutError]],
  [
    CONNECTION,
    [
      RegistryConnectionError,
      // A damaged answer is the wire's or the registry's, and may well be whole the next time.
      RegistryResponseError,
      IntegrityError,
      LspExitError,
      LspUnavailableError,
      LspClosedError,
    ],
  ],
];

/** What a write to a process says that has just died, before its end was noticed. */
const BROKEN_PIPE = ['ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END', 'EPIPE'];

function markOf(error: Error): Mark | undefined {
  if (BROKEN_PIPE.includes(String((error as NodeJS.ErrnoException).code))) return CONNECTION;
  if (error instanceof LspRequestError) return error.isInvalid ? INVALID : undefined;
  return MARKS.find(([, classes]) => classes.some((one) => error instanceof one))?.[0];
}

/** Says on an error of the toolchain what it means to a guard. Other errors stay as they are. */
function marked(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const mark = markOf(error);
  return mark === undefined ? error : Object.assign(error, mark);
}

/** Runs work of the toolchain; what it throws says what it means. */
export async function marking<T>(work: () => T | PromiseLike<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw marked(error);
  }
}
