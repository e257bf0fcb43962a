import { inspect } from 'node:util';
import { messageOf, safeLines, safeText } from '@temper/core/policy';

/** Why a shutdown began. */
export type ShutdownReason =
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | {
      readonly kind: 'uncaughtException' | 'unhandledRejection';
      /** The uncaught error, or the reason of the rejection. */
      readonly error: unknown;
    }
  | { readonly kind: 'call'; readonly message?: string }
  /** A message from the parent process. */
  | { readonly kind: 'message'; readonly message: string }
  /** The event loop was empty: the process was about to end by itself. */
  | { readonly kind: 'beforeExit' }
  /** The process ended without the shutdown, such as by `process.exit()`. */
  | { readonly kind: 'exit'; readonly code: number };

/** Describes a reason in a few words, on one line, bounded and scrubbed. */
export function describeReason(reason: ShutdownReason): string {
  switch (reason.kind) {
    case 'signal':
      return reason.signal;
    case 'call':
      return reason.message === undefined ? 'shutdown() was called' : safeText(reason.message);
    case 'message':
      return `message '${safeText(reason.message)}'`;
    case 'beforeExit':
      return 'empty event loop';
    case 'exit':
      return `process exit with code ${reason.code}`;
    case 'uncaughtException':
      return `uncaught exception (${messageOf(reason.error)})`;
    case 'unhandledRejection':
      return `unhandled rejection (${messageOf(reason.error)})`;
  }
}

/** Whether the shutdown was begun by an error. */
export function isCrash(reason: ShutdownReason): boolean {
  return reason.kind === 'uncaughtException' || reason.kind === 'unhandledRejection';
}

/**
 * The stack and the properties of an error, line by line, bounded and scrubbed. Custom inspection is
 * user code and may throw.
 */
export function inspectError(error: unknown): string {
  try {
    return safeLines(inspect(error));
  } catch {
    return messageOf(error);
  }
}
