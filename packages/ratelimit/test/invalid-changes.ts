/** Changes of a limit that every limiter refuses: the method, its argument, the message. */
export const INVALID_CHANGES = [
  ['block', -1, /durationMs must be/],
  ['block', Number.POSITIVE_INFINITY, /durationMs must be/],
  ['penalty', 0, /units must be a finite number > 0, got 0/],
  ['reward', Number.NaN, /units must be a finite number > 0, got NaN/],
  ['penalty', '5', /units must be a finite number > 0, got '5'/],
] as const;
