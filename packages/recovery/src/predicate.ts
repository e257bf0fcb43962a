import { onListenerError } from './telemetry.ts';

/** Asks a user's predicate. One that throws is reported, and has said no. */
export function ask<Args extends readonly unknown[]>(
  predicate: (...args: Args) => boolean,
  ...args: Args
): boolean {
  try {
    return predicate(...args);
  } catch (error) {
    onListenerError(error);
    return false;
  }
}
