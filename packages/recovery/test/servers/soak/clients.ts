import { dispatcherInterceptor, resilientFetch } from '@temper/recovery/fetch';
import type { Agent } from 'undici';
import type { Addresses } from './faults.ts';
import type { Protocol } from './protocols.ts';

/** A request, in the words that all clients understand. */
export interface Ask {
  readonly url: string;
  readonly method: 'GET' | 'HEAD' | 'POST';
  readonly signal: AbortSignal;
  /** Sent piece by piece, with an `Idempotency-Key`. */
  readonly body?: () => AsyncIterable<Uint8Array>;
}

/** The bodies of responses. */
export interface Body extends AsyncIterable<Uint8Array> {
  cancel?(): Promise<void>;
  destroy?(): unknown;
}

/** Sends a request, and gives its body once the headers have arrived. */
export type Send = (ask: Ask) => Promise<Body | undefined>;

const OPTIONS = {
  maxInFlight: Number.POSITIVE_INFINITY,
  connectTimeoutMs: 100,
  attemptTimeoutMs: 100,
  bodyIdleTimeoutMs: 100,
  totalTimeoutMs: 1000,
  retry: { maxAttempts: 3, initialDelayMs: 0 },
} as const;

const KEY = { 'idempotency-key': '1' };

/** Each face of the exchange: without a breaker, with one that opens and closes, and with hedges. */
export function clients(
  { library, agent: open }: Protocol,
  { second }: Addresses,
): {
  readonly sends: readonly Send[];
  /** Requests that undici still has in its queues: those given up before they had a connection, too. */
  readonly queued: () => number;
  readonly close: () => Promise<void>;
} {
  const agents: Agent[] = [];
  const agent = (): Agent => {
    const own = open();
    agents.push(own);
    return own;
  };
  const breaker = { openDurationMs: 20, failureThreshold: 20 };
  const variants = [
    { breaker: false },
    { breaker },
    { breaker: false, hedge: { delayMs: 2, endpoints: [second] } },
  ] as const;
  const sends: Send[] = [];
  for (const variant of variants) {
    const dispatcher = agent();
    const send = (input: unknown, init: object): Promise<unknown> =>
      library.fetch(input as string, { ...init, dispatcher });
    const fetch = resilientFetch({
      ...OPTIONS,
      ...variant,
      fetch: send as typeof globalThis.fetch,
    });
    sends.push(async ({ url, body, ...rest }) => {
      const init =
        body === undefined ? rest : { ...rest, headers: KEY, body: body(), duplex: 'half' };
      const response = await fetch(url, init as RequestInit);
      return (response.body ?? undefined) as Body | undefined;
    });
    const guarded = agent().compose(dispatcherInterceptor({ ...OPTIONS, ...variant }));
    sends.push(async ({ url, body, ...rest }) => {
      const init = body === undefined ? rest : { ...rest, headers: KEY, body: body() };
      const { body: stream } = await library.request(url, {
        ...init,
        dispatcher: guarded,
      } as object);
      return stream.on('error', () => {}); // of a body that is destroyed
    });
  }
  const queued = (): number =>
    agents.flatMap(({ stats }) => Object.values(stats)).reduce((sum, { size }) => sum + size, 0);
  return {
    sends,
    queued,
    close: async () => void (await Promise.all(agents.map((one) => one.close()))),
  };
}
