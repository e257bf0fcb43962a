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
import { WorkersUnavailableError, WorkLimitError } from '../workers/errors.ts';

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

/** Kind and classification of each error of the toolchain, which does not depend on Temper. */
const MARKS: readonly (readonly [Mark, readonly ErrorClass[]])[] = [
  [
    INVALID,
    [
      ParseError,
      TypeCheckError,
      LanguageDefinitionError,
      ProtocolValidationError,
      // An endless program is an error of its author.
      StepBudgetError,
      OutputLimitError,
      WorkLimitError,
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
      // A corrupted response may be intact on the next attempt.
      RegistryResponseError,
      IntegrityError,
      LspExitError,
      LspUnavailableError,
      LspClosedError,
      WorkersUnavailableError,
    ],
  ],
];

/** Codes of a write to a process that exited before its exit event arrived. */
const BROKEN_PIPE = ['ERR_STREAM_DESTROYED', 'ERR_STREAM_WRITE_AFTER_END', 'EPIPE'];

function markOf(error: Error): Mark | undefined {
  if (BROKEN_PIPE.includes(String((error as NodeJS.ErrnoException).code))) return CONNECTION;
  if (error instanceof LspRequestError) return error.isInvalid ? INVALID : undefined;
  return MARKS.find(([, classes]) => classes.some((one) => error instanceof one))?.[0];
}

/** Adds kind and classification to an error of the toolchain. Other errors are returned unchanged. */
function marked(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const mark = markOf(error);
  return mark === undefined ? error : Object.assign(error, mark);
}

/** Runs work of the toolchain and marks the errors it throws. */
export async function marking<T>(work: () => T | PromiseLike<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw marked(error);
  }
}
