/** The limit of a sliding or fixed window. */
export interface WindowLevels {
  /** Most units per window. */
  readonly limit: number;
  /** Units that could be taken now. */
  readonly remaining: number;
  /** Length of the window, in milliseconds. */
  readonly windowMs: number;
}

/** The levels of a window rule with this many units available. */
export function windowLevels(
  { limit, windowMs }: { readonly limit: number; readonly windowMs: number },
  available: number,
): WindowLevels {
  return { limit, remaining: Math.max(0, available), windowMs };
}

/** A wait until a window moves on: above 0, whatever the rounding of the times it is computed from. */
export function positive(waitMs: number): number {
  return Math.max(waitMs, 0.001);
}
