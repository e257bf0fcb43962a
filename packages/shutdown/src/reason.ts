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
  | { readonly kind: 'call'; readonly message?: string };

/** Describes a reason in a few words, on one line, bounded and scrubbed. */
export function describeReason(reason: ShutdownReason): string {
  switch (reason.kind) {
    case 'signal':
      return reason.signal;
    case 'call':
      return reason.message === undefined ? 'shutdown() was called' : safeText(reason.message);
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
