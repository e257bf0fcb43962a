/** How much a call matters, as in Google's SRE book. */
export type Priority = 'critical-plus' | 'critical' | 'sheddable-plus' | 'sheddable';

/** From what is shed first to what is shed last. */
export const PRIORITIES: readonly Priority[] = [
  'sheddable',
  'sheddable-plus',
  'critical',
  'critical-plus',
];

/**
 * Share of its calls that a client keeps to itself, so that the backend sees at most about
 * `multiplier` times what it accepts.
 *
 * Source: B. Beyer et al., "Site Reliability Engineering", O'Reilly 2016, chapter 21, equation 21-1.
 */
export function rejectionRatio(requests: number, accepts: number, multiplier: number): number {
  return Math.max(0, (requests - multiplier * accepts) / (requests + 1));
}

/**
 * How that share is laid on calls of different weight: the least important go first, and only what
 * they cannot make up for falls on the next.
 *
 * @param toShed - calls to keep back, of all there were
 * @param demand - calls there were per priority, in the order of {@link PRIORITIES}
 * @param place - the priority in question
 * @returns share to keep back of that priority
 */
export function shareOf(toShed: number, demand: ArrayLike<number>, place: number): number {
  let left = toShed;
  for (let below = 0; below < place; below++) left -= demand[below]!;
  if (left <= 0) return 0;
  const calls = demand[place]!;
  return calls > left ? left / calls : 1;
}
