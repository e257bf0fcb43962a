import { setTimeout as sleep } from 'node:timers/promises';
import type { EndpointHolder } from './endpoint.ts';
import { EXPENSIVE_REQUESTS } from './expensive-requests.ts';
import { HttpCaller, type HttpQuestion } from './http-caller.ts';
import { type ClientResult, LoadClient, MAX_UNDER_WAY } from './load-client.ts';

export interface AbuseResult {
  readonly abuser: ClientResult;
  /** The others before the abuser came. */
  readonly alone: ClientResult;
  /** The others beside the abuser. */
  readonly beside: ClientResult;
}

const ABUSER_PER_SECOND = 60;
const OTHERS_PER_SECOND = 8;
const TICK_MS = 20;

/** What the others do, who count as another client since they have the token. */
const ORDINARY: readonly HttpQuestion[] = [
  ['/v1/compile', { source: 'fn twice(n: int): int { return n * 2 }\nprint(twice(21))\n' }],
  ['/v1/run', { source: 'let sum = 0\nfor i from 1 to 100 { sum = sum + i }\nprint(sum)\n' }],
  ['/v1/check', { source: 'let x = 1 + 2\n' }],
  ['/v1/lsp/symbols', { text: 'let x = 1\nprint(x)\n' }],
].map(([path, body]) => ({ method: 'POST', path: path as string, body: JSON.stringify(body) }));

/** One client sends the most expensive requests that it may, as fast as it can, beside others. */
export class AbusiveClient {
  readonly #endpoint: EndpointHolder;
  #clients: Readonly<Record<keyof AbuseResult, LoadClient>> | undefined;

  constructor(endpoint: EndpointHolder) {
    this.#endpoint = endpoint;
  }

  /** Result of the current run, or of the last one. */
  get result(): AbuseResult | undefined {
    if (this.#clients === undefined) return undefined;
    const { abuser, alone, beside } = this.#clients;
    return { abuser: abuser.result(), alone: alone.result(), beside: beside.result() };
  }

  /** @param partMs - time of the others alone, and as long again beside the abuser */
  async run(signal: AbortSignal, partMs: number): Promise<AbuseResult> {
    const { url, token } = this.#endpoint.get();
    // Separate connections, as two machines would have.
    using abuserCaller = new HttpCaller(url, MAX_UNDER_WAY);
    using othersCaller = new HttpCaller(url);
    const abuser = new LoadClient(abuserCaller, ABUSER_PER_SECOND, EXPENSIVE_REQUESTS);
    const others = (): LoadClient =>
      new LoadClient(othersCaller, OTHERS_PER_SECOND, ORDINARY, {
        authorization: `Bearer ${token}`,
      });
    const [alone, beside] = [others(), others()];
    this.#clients = { abuser, alone, beside };
    await sendFor(partMs, signal, [alone]);
    await sendFor(partMs, signal, [beside, abuser]);
    return this.result as AbuseResult;
  }
}

async function sendFor(
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
