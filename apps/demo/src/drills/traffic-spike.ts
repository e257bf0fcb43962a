import type { EndpointHolder } from './endpoint.ts';
import { HttpCaller } from './http-caller.ts';
import { type ClientResult, LoadClient, MAX_UNDER_WAY, sendFor } from './load-client.ts';

interface SpikeResult {
  /** Sends far more requests than one client is allowed. */
  readonly greedy: ClientResult;
  /** Sends a few requests per second, with the token, so it counts as another client. */
  readonly polite: ClientResult;
}

const GREEDY_PER_SECOND = 300;
const POLITE_PER_SECOND = 8;
const COMPILE = {
  method: 'POST',
  path: '/v1/compile',
  body: JSON.stringify({ source: 'fn twice(n: int): int { return n * 2 }\nprint(twice(21))\n' }),
} as const;

/** Sends far too many requests as one client while another client sends its usual load. */
export class TrafficSpike {
  readonly #endpoint: EndpointHolder;
  #clients: { readonly greedy: LoadClient; readonly polite: LoadClient } | undefined;

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
    const greedy = new LoadClient(greedyCaller, GREEDY_PER_SECOND, [COMPILE]);
    const polite = new LoadClient(politeCaller, POLITE_PER_SECOND, [COMPILE], {
      authorization: `Bearer ${token}`,
    });
    this.#clients = { greedy, polite };
    await sendFor(limitMs, signal, [greedy, polite]);
    return { greedy: greedy.result(), polite: polite.result() };
  }
}
