import { messageOf } from '@temper/core';

/** Why a shutdown began. */
export type ShutdownReason =
  | { readonly kind: 'signal'; readonly signal: NodeJS.Signals }
  | {
      readonly kind: 'uncaughtException' | 'unhandledRejection';
      /** What nobody caught. */
      readonly error: unknown;
    }
  | { readonly kind: 'call'; readonly message?: string };

/** A reason in a few words. */
export function describeReason(reason: ShutdownReason): string {
  switch (reason.kind) {
    case 'signal':
      return reason.signal;
    case 'call':
      return reason.message ?? 'a call';
    case 'uncaughtException':
      return `an uncaught exception (${messageOf(reason.error)})`;
    case 'unhandledRejection':
      return `an unhandled rejection (${messageOf(reason.error)})`;
  }
}

/** Whether something went wrong before anybody wanted to stop. */
export function isCrash(reason: ShutdownReason): boolean {
  return reason.kind === 'uncaughtException' || reason.kind === 'unhandledRejection';
}
