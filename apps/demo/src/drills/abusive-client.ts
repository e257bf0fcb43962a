import { percentile } from '../load/tally.ts';
import type { EndpointHolder } from './endpoint.ts';
import { EXPENSIVE_REQUESTS } from './expensive-requests.ts';
import { HttpCaller, type HttpQuestion } from './http-caller.ts';
import { type ClientResult, LoadClient, MAX_UNDER_WAY, sendFor } from './load-client.ts';

export interface AbuseResult {
  readonly abuser: ClientResult;
  /** The others before the abuser came. */
  readonly alone: ClientResult;
  /** The others beside the abuser. */
  readonly beside: ClientResult;
  /** What one request of the abuser takes while nobody else is there: the median, in milliseconds. */
  readonly requestMs: number;
}

const ABUSER_PER_SECOND = 60;
const OTHERS_PER_SECOND = 12;
/** Highest ratio of the others' p99 latency beside the abuser to that without it. */
export const NOTICED = 5;

/** What the others do. */
const ORDINARY: readonly HttpQuestion[] = [
  ['/v1/compile', { source: 'fn twice(n: int): int { return n * 2 }\nprint(twice(21))\n' }],
  ['/v1/run', { source: 'use std.math\nprint(math.gcd(12, 18))\n' }],
  ['/v1/check', { source: 'let x = 1 + 2\n' }],
  ['/v1/lsp/symbols', { text: 'let x = 1\nprint(x)\n' }],
].map(([path, body]) => ({ method: 'POST', path: path as string, body: JSON.stringify(body) }));

/**
 * The p99 latency up to which the others notice nothing, in milliseconds: {@link NOTICED} times that without
 * the abuser, and as long besides as one of its requests takes, which is what they may wait for where there
 * is one place for all. Both are measured on the same machine, and none is a number of milliseconds.
 */
export function unnoticedMs(aloneMs: number, requestMs: number): number {
  return NOTICED * aloneMs + requestMs;
}

/** The client that sends `attack` in turn, faster than it may. */
export function abuserOf(caller: HttpCaller, attack: readonly HttpQuestion[]): LoadClient {
  return new LoadClient(caller, ABUSER_PER_SECOND, attack);
}

/** The others, who count as another client than the abuser since they have the token. */
export function othersOf(caller: HttpCaller, token: string): LoadClient {
  return new LoadClient(caller, OTHERS_PER_SECOND, ORDINARY, { authorization: `Bearer ${token}` });
}

/** One client sends requests that cost as much as it may, as fast as it can, beside others. */
export class AbusiveClient {
  readonly #endpoint: EndpointHolder;
  #run:
    | (Readonly<Record<'abuser' | 'alone' | 'beside', LoadClient>> & { readonly requestMs: number })
    | undefined;

  constructor(endpoint: EndpointHolder) {
    this.#endpoint = endpoint;
  }

  /** Result of the current run, or of the last one. */
  get result(): AbuseResult | undefined {
    if (this.#run === undefined) return undefined;
    const { abuser, alone, beside, requestMs } = this.#run;
    const results = { abuser: abuser.result(), alone: alone.result(), beside: beside.result() };
    return { ...results, requestMs };
  }

  /** @param partMs - time of the others alone, and as long again beside the abuser */
  async run(signal: AbortSignal, partMs: number): Promise<AbuseResult> {
    const { url, token } = this.#endpoint.get();
    // Separate connections, as two machines would have.
    using abuserCaller = new HttpCaller(url, MAX_UNDER_WAY);
    using othersCaller = new HttpCaller(url);
    const abuser = abuserOf(abuserCaller, EXPENSIVE_REQUESTS);
    const [alone, beside] = [othersOf(othersCaller, token), othersOf(othersCaller, token)];
    const requestMs = await medianMs(abuserCaller, EXPENSIVE_REQUESTS, signal);
    this.#run = { abuser, alone, beside, requestMs };
    await sendFor(partMs, signal, [alone]);
    await sendFor(partMs, signal, [beside, abuser]);
    return this.result as AbuseResult;
  }
}

/** Requests to measure the cost of one by. */
const SAMPLES = 10;

/** What one of the requests takes, one after the other: the median of the first {@link SAMPLES}. */
export async function medianMs(
  caller: HttpCaller,
  questions: readonly HttpQuestion[],
  signal: AbortSignal,
): Promise<number> {
  const durations: number[] = [];
  for (const question of questions.slice(0, SAMPLES)) {
    if (signal.aborted) break;
    durations.push((await caller.call(question)).durationMs);
  }
  return (
    percentile(
      durations.toSorted((a, b) => a - b),
      0.5,
    ) ?? 0
  );
}
