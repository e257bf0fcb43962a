import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from '../load/tally.ts';
import type { EndpointHolder } from './endpoint.ts';
import { type HttpAnswer, HttpCaller } from './http-caller.ts';

/** What one client of the spike got. */
interface ClientResult {
  readonly sent: number;
  readonly ok: number;
  /** Answered 429. */
  readonly limited: number;
  /** Of them, those that say when to come back and what the limit is. */
  readonly limitedWithFields: number;
  readonly serverErrors: number;
  readonly unanswered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

interface SpikeResult {
  /** Asks far more than one client may. */
  readonly greedy: ClientResult;
  /** Asks a few times a second, and shows the token: another client. */
  readonly polite: ClientResult;
}

const GREEDY_PER_SECOND = 300;
const POLITE_PER_SECOND = 8;
const TICK_MS = 20;
/** Requests under way beyond which no more are sent. */
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
    const told = ['retry-after', 'ratelimit', 'ratelimit-policy'].every((name) => headers[name]);
    if (told) this.counts.limitedWithFields += 1;
  }
}

/** One client asks far too much while another asks as it always does. */
export class TrafficSpike {
  readonly #endpoint: EndpointHolder;
  #clients: { readonly greedy: Client; readonly polite: Client } | undefined;

  constructor(endpoint: EndpointHolder) {
    this.#endpoint = endpoint;
  }

  /** Of the last run, or of the one under way. */
  get result(): SpikeResult | undefined {
    if (this.#clients === undefined) return undefined;
    const { greedy, polite } = this.#clients;
    return { greedy: greedy.result(), polite: polite.result() };
  }

  async run(signal: AbortSignal, limitMs: number): Promise<SpikeResult> {
    const { url, token } = this.#endpoint.get();
    // Connections of their own, as two machines would have.
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
      // After a stall what was missed is not made up for.
      const elapsed = Math.min(now - before, 5 * TICK_MS);
      before = now;
      greedy.tick(elapsed);
      polite.tick(elapsed);
    }
    await Promise.all([greedy.settled(), polite.settled()]);
    return { greedy: greedy.result(), polite: polite.result() };
  }
}
