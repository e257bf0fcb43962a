/** What a window has counted. */
export interface WindowCounts {
  readonly calls: number;
  readonly failures: number;
  /** Slow calls, failed or not. */
  readonly slow: number;
}

/** Shares of the calls in a window, 0 when it is empty; `undefined` where they are not judged. */
export interface WindowRatios {
  readonly failure: number | undefined;
  readonly slow: number | undefined;
}

/**
 * The calls that rates are computed over: the last `calls` ones, or those of the last `durationMs`
 * milliseconds, which leave the window in `buckets` steps (10 by default).
 */
export type WindowOptions =
  | { readonly calls: number }
  | { readonly durationMs: number; readonly buckets?: number };

/** Calls that ended together: how long ago, how many, how many of them failed, how many were slow. */
export type SavedCalls = readonly [ageMs: number, calls: number, failures: number, slow: number];

/** A window as plain data, the oldest calls first. */
export interface SavedWindow {
  readonly kind: 'consecutive' | 'calls' | 'time';
  readonly calls: readonly SavedCalls[];
}

/** The calls that a closed circuit is judged by. Recording takes constant time and needs no timer. */
export interface Window {
  readonly kind: SavedWindow['kind'];
  /** @param at - monotonic milliseconds; used by windows of time only */
  record(failed: boolean, slow: boolean, at: number): void;
  counts(at: number): WindowCounts;
  save(at: number): readonly SavedCalls[];
  /** Adds saved calls, the oldest first, to an empty window of the same kind. */
  load(calls: readonly SavedCalls[], at: number): void;
  reset(): void;
}

export function windowRatios(
  { calls, failures, slow }: WindowCounts,
  rules: { readonly window?: object | undefined; readonly slowCallDurationMs?: number | undefined },
): WindowRatios {
  const share = (part: number): number => (calls === 0 ? 0 : part / calls);
  return {
    failure: rules.window === undefined ? undefined : share(failures),
    slow: rules.slowCallDurationMs === undefined ? undefined : share(slow),
  };
}
