import type { Operation, Outcome } from '@temper/core';
import {
  asyncScope,
  builtinModule,
  type Call,
  PolicyBase,
  type PolicyDescription,
} from '@temper/core/policy';
import type { ResolvedHttpOptions } from './options.ts';

/** Where the present attempt of a request has been sent. */
interface Route {
  /** The origin of the request. */
  asked: string | undefined;
  /** The origin that was asked last, after redirects; `undefined` until that of the request has been. */
  last: string | undefined;
  /** Whether the response has come. What is sent then is another request. */
  arrived: boolean;
}

/** Where there are no asynchronous contexts, redirects are not told apart. */
const routes = asyncScope<Route>();
let listens = false;

/** `fetch` follows redirects itself; undici, which is behind it, tells of each request that it makes. */
function listen(): void {
  if (listens) return;
  listens = true;
  const channels = builtinModule<typeof import('node:diagnostics_channel')>(
    'node:diagnostics_channel',
  );
  channels?.subscribe('undici:request:create', (message) => {
    const route = routes.get();
    if (route === undefined) return;
    const { request } = message as { request?: { origin?: unknown; method?: unknown } };
    // A connection through a proxy is a request of its own.
    if (request?.method !== 'CONNECT') goTo(route, originOf(String(request?.origin)));
  });
}

function goTo(route: Route, origin: string | undefined): void {
  // A sender may make requests of its own: for a token before, for a log after.
  if (route.arrived || (route.last === undefined && origin !== route.asked)) return;
  route.last = origin ?? route.last;
}

function originOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).origin : undefined;
}

/** Sends a request whose redirects are followed by {@link redirectedFrom}. */
export function routed<T>(send: () => T): T {
  listen();
  return routes.run({ asked: undefined, last: undefined, arrived: false }, send);
}

/** A new attempt of the request begins. */
function restart(origin: string): void {
  const route = routes.get();
  if (route !== undefined) Object.assign(route, { asked: origin, last: undefined, arrived: false });
}

/** A response has come: its `url` tells where from, whoever sent the request. */
export function arrived(response: Response): void {
  const route = routes.get();
  if (route === undefined) return;
  try {
    route.last = originOf(response.url) ?? route.last;
  } catch {
    // A sender of the user's may return anything.
  }
  route.arrived = true;
}

/** Where the present attempt was redirected to, when that is another origin than the one asked for. */
export function redirectedFrom(origin: string): string | undefined {
  const route = routes.get();
  return route?.asked !== origin || route.last === origin ? undefined : route.last;
}

/**
 * Tells the circuit of the origin that a request was redirected to how the request ended: the one that
 * redirected has done its work.
 */
export class RedirectedOutcomes extends PolicyBase {
  /** Requests to the origin that are in flight. */
  inFlight = 0;
  readonly #origin: string;
  readonly #tell: (origin: string, outcome: Outcome<unknown>, call: Call) => void;

  constructor(
    { name, clock }: ResolvedHttpOptions,
    origin: string,
    tell: (origin: string, outcome: Outcome<unknown>, call: Call) => void,
  ) {
    super(name, clock);
    this.#origin = origin;
    this.#tell = tell;
  }

  async runInCall<T>(operation: Operation<T>, call: Call): Promise<T> {
    restart(this.#origin); // a call that the circuit rejects has not been anywhere
    this.inFlight++;
    try {
      const value = await operation(call);
      this.#ended({ ok: true, value }, call);
      return value;
    } catch (error) {
      this.#ended({ ok: false, error }, call);
      throw error;
    } finally {
      this.inFlight--;
    }
  }

  #ended(outcome: Outcome<unknown>, call: Call): void {
    const elsewhere = redirectedFrom(this.#origin);
    if (elsewhere !== undefined) this.#tell(elsewhere, outcome, call);
  }

  override describe(): PolicyDescription {
    return { kind: 'breaker' }; // it neither waits nor repeats
  }

  stats(): object {
    return { inFlight: this.inFlight };
  }

  [Symbol.dispose](): void {
    // There is nothing to release.
  }
}
