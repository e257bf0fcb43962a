import type { Random } from '@temper/core';
import type { ResolvedRetryOptions } from './options.ts';

/** The part of the options that decides a wait. */
export type BackoffOptions = Pick<
  ResolvedRetryOptions,
  'backoff' | 'initialDelayMs' | 'maxDelayMs' | 'multiplier' | 'jitter'
>;

/**
 * How long to wait after a failed attempt, in milliseconds: grown, spread, and only then capped, so
 * that no jitter ever exceeds `maxDelayMs`.
 *
 * @param attempt - the attempt that failed, from 1
 * @param previousMs - the wait before that attempt, 0 for the first; only `decorrelated` looks at it
 */
export function backoffDelay(
  options: BackoffOptions,
  attempt: number,
  previousMs: number,
  random: Random,
): number {
  const { initialDelayMs, maxDelayMs, jitter } = options;
  if (jitter === 'decorrelated') {
    const from = Math.max(initialDelayMs, previousMs) * 3;
    return Math.min(maxDelayMs, initialDelayMs + random() * (from - initialDelayMs));
  }
  return Math.min(
    maxDelayMs,
    spread(Math.min(maxDelayMs, grown(options, attempt)), jitter, random),
  );
}

function grown({ backoff, initialDelayMs, multiplier }: BackoffOptions, attempt: number): number {
  if (backoff === 'constant') return initialDelayMs;
  if (backoff === 'linear') return initialDelayMs * attempt;
  const factor = multiplier ** (attempt - 1);
  return initialDelayMs === 0 ? 0 : initialDelayMs * factor; // 0 × Infinity would be NaN
}

function spread(
  delayMs: number,
  jitter: Exclude<BackoffOptions['jitter'], 'decorrelated'>,
  random: Random,
): number {
  if (jitter === 'none') return delayMs;
  if (jitter === 'full') return delayMs * random();
  if (jitter === 'equal') return (delayMs / 2) * (1 + random());
  return delayMs * (1 + jitter.ratio * (2 * random() - 1));
}
