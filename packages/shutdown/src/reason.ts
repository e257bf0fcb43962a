import { inspect } from 'node:util';
import { messageOf } from '@temper/core';

/** Why a shutdown began. */
export type ShutdownReason =
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | {
      readonly kind: 'uncaughtException' | 'unhandledRejection';
      /** The uncaught error, or the reason of the rejection. */
      readonly error: unknown;
    }
  | { readonly kind: 'call'; readonly message?: string };

/** Describes a reason in a few words. */
export function describeReason(reason: ShutdownReason): string {
  switch (reason.kind) {
    case 'signal':
      return reason.signal;
    case 'call':
      return reason.message ?? 'shutdown() was called';
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

/** The stack and the properties of an error. Custom inspection is user code and may throw. */
export function inspectError(error: unknown): string {
  try {
    return inspect(error);
  } catch {
    return messageOf(error);
  }
}
