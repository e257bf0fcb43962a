/**
 * Share of its calls that a client sheds, so that the backend receives at most about `multiplier` times
 * what it accepts, and never less than the rest that `max` leaves.
 *
 * Source: B. Beyer et al., "Site Reliability Engineering", O'Reilly 2016, chapter 21, equation 21-1. The
 * upper bound: Envoy's admission control, `max_rejection_probability`, 80 % by default.
 */
export function rejectionRatio(
  requests: number,
  accepts: number,
  multiplier: number,
  max: number,
): number {
  return Math.min(max, Math.max(0, (requests - multiplier * accepts) / (requests + 1)));
}

/**
 * Distributes that share over the priorities: the least important calls are shed first, and only the
 * rest is shed from the next priority.
 *
 * @param toShed - calls to shed, of all priorities together
 * @param demand - calls per priority, from the least important
 * @param place - index of the priority in question
 * @returns the share to shed of that priority
 */
export function shareOf(toShed: number, demand: ArrayLike<number>, place: number): number {
  let left = toShed;
  for (let below = 0; below < place; below++) left -= demand[below]!;
  if (left <= 0) return 0;
  const calls = demand[place]!;
  return calls > left ? left / calls : 1;
}
