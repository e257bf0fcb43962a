import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from '../load/tally.ts';
import type { EndpointHolder } from './endpoint.ts';
import { type HttpAnswer, HttpCaller } from './http-caller.ts';

/** Responses that one client received. */
interface ClientResult {
  readonly sent: number;
  readonly ok: number;
  /** Responses with status 429. */
  readonly limited: number;
  /** The part of {@link limited} with `Retry-After` and the `RateLimit` fields. */
  readonly limitedWithFields: number;
  readonly serverErrors: number;
  readonly unanswered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface SpikeResult {
  /** Sends far more requests than one client is allowed. */
  readonly greedy: ClientResult;
  /** Sends a few requests per second, with the token, so it counts as another client. */
  readonly polite: ClientResult;
}

const GREEDY_PER_SECOND = 300;
const POLITE_PER_SECOND = 8;
const TICK_MS = 20;
/** Maximum number of requests in flight per client. */
const MAX_UNDER_WAY = 100;

const COMPILE = {
  method: 'POST',
  path: '/v1/compile',
  body: JSON.stringify({ source: 'fn twice(n: int): int { return n * 2 }\nprint(twice(21))\n' }),
} as const;

class Client {
  readonly counts = {
    sent: 0,
    ok: 0,
    limited: 0,
    limitedWithFields: 0,
    serverErrors: 0,
    unanswered: 0,
  };
  readonly #durations: number[] = [];
  readonly #caller: HttpCaller;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #underWay = new Set<Promise<void>>();
  readonly #perSecond: number;
  #owed = 0;

  constructor(caller: HttpCaller, perSecond: number, headers: Readonly<Record<string, string>>) {
    this.#caller = caller;
    this.#perSecond = perSecond;
    this.#headers = headers;
  }

  tick(elapsedMs: number): void {
    this.#owed += (elapsedMs / 1_000) * this.#perSecond;
    for (; this.#owed >= 1; this.#owed -= 1) {
      if (this.#underWay.size >= MAX_UNDER_WAY) continue;
      this.counts.sent += 1;
      const call = this.#caller
        .call({ ...COMPILE, headers: this.#headers })
        .then(
          (answer) => this.#answered(answer),
          () => {
            this.counts.unanswered += 1;
          },
        )
        .finally(() => this.#underWay.delete(call));
      this.#underWay.add(call);
    }
  }

  async settled(): Promise<void> {
    await Promise.allSettled([...this.#underWay]);
  }

  result(): ClientResult {
    const sorted = this.#durations.toSorted((a, b) => a - b);
    const at = (share: number): number => Math.round((percentile(sorted, share) ?? 0) * 10) / 10;
    return { ...this.counts, p50Ms: at(0.5), p99Ms: at(0.99) };
  }

  #answered({ status, headers, durationMs }: HttpAnswer): void {
    this.#durations.push(durationMs);
    if (status < 400) this.counts.ok += 1;
    else if (status >= 500) this.counts.serverErrors += 1;
    if (status !== 429) return;
    this.counts.limited += 1;
    const complete = ['retry-after', 'ratelimit', 'ratelimit-policy'].every(
      (name) => headers[name],
    );
    if (complete) this.counts.limitedWithFields += 1;
  }
}

/** Sends far too many requests as one client while another client sends its usual load. */
export class TrafficSpike {
  readonly #endpoint: EndpointHolder;
  #clients: { readonly greedy: Client; readonly polite: Client } | undefined;

  constructor(endpoint: EndpointHolder) {
    this.#endpoint = endpoint;
  }

  /** Result of the current run, or of the last one. */
  get result(): SpikeResult | undefined {
    if (this.#clients === undefined) return undefined;
    const { greedy, polite } = this.#clients;
    return { greedy: greedy.result(), polite: polite.result() };
  }

  async run(signal: AbortSignal, limitMs: number): Promise<SpikeResult> {
    const { url, token } = this.#endpoint.get();
    // Separate connections, as two machines would have.
    using greedyCaller = new HttpCaller(url, MAX_UNDER_WAY);
    using politeCaller = new HttpCaller(url);
    const greedy = new Client(greedyCaller, GREEDY_PER_SECOND, {});
    const polite = new Client(politeCaller, POLITE_PER_SECOND, {
      authorization: `Bearer ${token}`,
    });
    this.#clients = { greedy, polite };
    const startedAt = performance.now();
    let before = startedAt;
    while (!signal.aborted && before - startedAt < limitMs) {
      await sleep(TICK_MS, undefined, { signal }).catch(() => undefined);
      const now = performance.now();
      // Requests missed during a stall are not sent later.
      const elapsed = Math.min(now - before, 5 * TICK_MS);
      before = now;
      greedy.tick(elapsed);
      polite.tick(elapsed);
    }
    await Promise.all([greedy.settled(), polite.settled()]);
    return { greedy: greedy.result(), polite: polite.result() };
  }
}
