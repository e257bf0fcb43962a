import { setTimeout as sleep } from 'node:timers/promises';
import { percentile } from '../load/tally.ts';
import type { HttpAnswer, HttpCaller, HttpQuestion } from './http-caller.ts';

/** Responses that one client received. */
export interface ClientResult {
  readonly sent: number;
  readonly ok: number;
  /** Responses with status 429. */
  readonly limited: number;
  /** The part of {@link limited} with `Retry-After` and the `RateLimit` fields. */
  readonly limitedWithFields: number;
  readonly serverErrors: number;
  /** The part of {@link serverErrors} with status 500. */
  readonly internalErrors: number;
  readonly unanswered: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

/** Maximum number of requests in flight per client. */
export const MAX_UNDER_WAY = 100;

const TICK_MS = 20;

/** One client that sends requests at a constant rate, in turn, whatever their answers are. */
export class LoadClient {
  readonly counts = {
    sent: 0,
    ok: 0,
    limited: 0,
    limitedWithFields: 0,
    serverErrors: 0,
    internalErrors: 0,
    unanswered: 0,
  };
  readonly #durations: number[] = [];
  readonly #caller: HttpCaller;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #underWay = new Set<Promise<void>>();
  readonly #perSecond: number;
  readonly #questions: readonly HttpQuestion[];
  #turn = 0;
  #owed = 0;

  constructor(
    caller: HttpCaller,
    perSecond: number,
    questions: readonly HttpQuestion[],
    headers: Readonly<Record<string, string>> = {},
  ) {
    this.#caller = caller;
    this.#questions = questions;
    this.#perSecond = perSecond;
    this.#headers = headers;
  }

  tick(elapsedMs: number): void {
    this.#owed += (elapsedMs / 1_000) * this.#perSecond;
    for (; this.#owed >= 1; this.#owed -= 1) {
      if (this.#underWay.size >= MAX_UNDER_WAY) continue;
      const question = this.#questions[this.#turn++ % this.#questions.length] as HttpQuestion;
      this.counts.sent += 1;
      const call = this.#caller
        .call({ ...question, headers: { ...question.headers, ...this.#headers } })
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
    if (status === 500) this.counts.internalErrors += 1;
    if (status !== 429) return;
    this.counts.limited += 1;
    const complete = ['retry-after', 'ratelimit', 'ratelimit-policy'].every(
      (name) => headers[name],
    );
    if (complete) this.counts.limitedWithFields += 1;
  }
}

/** Lets clients send for so long; resolves when all are answered. */
export async function sendFor(
  limitMs: number,
  signal: AbortSignal,
  clients: readonly LoadClient[],
): Promise<void> {
  const startedAt = performance.now();
  let before = startedAt;
  while (!signal.aborted && before - startedAt < limitMs) {
    await sleep(TICK_MS, undefined, { signal }).catch(() => undefined);
    const now = performance.now();
    // Requests missed during a stall are not sent later.
    const elapsed = Math.min(now - before, 5 * TICK_MS);
    before = now;
    for (const client of clients) client.tick(elapsed);
  }
  await Promise.all(clients.map((client) => client.settled()));
}
