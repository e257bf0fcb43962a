/** A change of a limit's state that is not a call. */
export type RateChange =
  /** Everything is forgotten: nothing is used, and nothing is blocked. */
  | { readonly kind: 'reset' }
  /** Every call is refused for so long. */
  | { readonly kind: 'block'; readonly durationMs: number }
  /** Units are used without a call, at most all of them; negative ones are given back. */
  | { readonly kind: 'charge'; readonly units: number };
