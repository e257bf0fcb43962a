import { isThenable } from '@temper/core';
import { onListenerError } from './telemetry.ts';

/** Asks a user's predicate. One that throws, or does not answer at once, is reported, and has said no. */
export function ask<Args extends readonly unknown[]>(
  predicate: (...args: Args) => boolean,
  ...args: Args
): boolean {
  try {
    const answer: unknown = predicate(...args);
    if (!isThenable(answer)) return Boolean(answer);
    answer.then(undefined, onListenerError);
    onListenerError(new TypeError('A predicate must answer at once; this one returned a promise.'));
  } catch (error) {
    onListenerError(error);
  }
  return false;
}
