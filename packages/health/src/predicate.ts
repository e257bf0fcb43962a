import { isThenable, show } from '@temper/core';
import { onListenerError } from './telemetry.ts';

/**
 * Asks a user's predicate. Only `true` counts as yes. An error and a returned promise count as no and
 * are logged; the rejection of such a promise is logged too and does not end the process.
 *
 * @param owner - factory whose option it is, for the log
 * @param option - name of the option, for the log
 */
export function ask<Args extends unknown[]>(
  owner: string,
  option: string,
  predicate: (...args: Args) => boolean,
  ...args: Args
): boolean {
  try {
    const answer: unknown = predicate(...args);
    if (!isThenable(answer)) return answer === true;
    Promise.resolve(answer).catch(onListenerError);
    throw new TypeError(`${owner}: ${option} must return a boolean, got ${show(answer)}.`);
  } catch (error) {
    onListenerError(error);
    return false;
  }
}
