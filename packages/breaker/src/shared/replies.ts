import { messageOf, show } from '@temper/core/policy';
import { StoreReplyError } from './errors.ts';
import type { FleetState, TrialGrant } from './store.ts';

const STATES: readonly unknown[] = ['closed', 'open', 'half-open'];
const VERDICTS: readonly unknown[] = ['leased', 'alone', 'refused'];
/** Longest lease that is kept and sent back, in characters. */
const MAX_LEASE_LENGTH = 1000;

/**
 * Reads a reply of the store, once and completely: it decides whether calls pass and when the store is
 * asked again, and comes over a network from a program of another version.
 *
 * @throws {StoreReplyError} on anything but a valid reply
 */
export function decodeReply<T>(
  policy: string,
  method: StoreReplyError['method'],
  reply: unknown,
  read: (reply: unknown) => T,
): T {
  try {
    return read(reply);
  } catch (error) {
    // Also what a getter of the reply throws.
    throw new StoreReplyError(policy, method, messageOf(error), error);
  }
}

/** @throws {TypeError | RangeError} unless it is a {@link FleetState} in range */
export function readFleetState(reply: unknown): FleetState {
  const { generation, state, remainingMs, nodes, openNodes } = fieldsOf(reply);
  const fleet = {
    generation: countOf('generation', generation),
    state: wordOf('state', state, STATES) as FleetState['state'],
    remainingMs: msOf('remainingMs', remainingMs),
    nodes: countOf('nodes', nodes),
    openNodes: countOf('openNodes', openNodes),
  };
  return fleet.state === 'open' ? fleet : { ...fleet, remainingMs: 0 };
}

/** @throws {TypeError | RangeError} unless it is a {@link TrialGrant} in range */
export function readTrialGrant(reply: unknown): TrialGrant {
  const { verdict: word, lease, retryAfterMs, fleet } = fieldsOf(reply);
  const verdict = wordOf('verdict', word, VERDICTS) as TrialGrant['verdict'];
  return {
    verdict,
    lease: verdict === 'leased' ? leaseOf(lease) : undefined,
    retryAfterMs: verdict === 'refused' ? msOf('retryAfterMs', retryAfterMs) : 0,
    fleet: readFleetState(fleet),
  };
}

function fieldsOf(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw new TypeError(`it must be made of objects, got ${show(value)}.`);
}

function wordOf(field: string, value: unknown, words: readonly unknown[]): unknown {
  if (words.includes(value)) return value;
  throw new TypeError(`${field} must be one of ${words.join(', ')}, got ${show(value)}.`);
}

function leaseOf(value: unknown): string {
  if (typeof value === 'string' && value !== '' && value.length <= MAX_LEASE_LENGTH) return value;
  throw new TypeError(`lease must be a name, got ${show(value)}.`);
}

function countOf(field: string, value: unknown): number {
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number;
  throw new RangeError(`${field} must be an integer >= 0, got ${show(value)}.`);
}

function msOf(field: string, value: unknown): number {
  if (typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER) return value;
  throw new RangeError(`${field} must be a number of milliseconds, got ${show(value)}.`);
}
