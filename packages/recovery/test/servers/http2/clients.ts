import { createConnection } from 'node:net';
import { dispatcherInterceptor, resilientFetch } from '@temper/recovery/fetch';
import * as undici from 'undici';
import * as undici7 from 'undici-7';

/** A request, in the words that all clients understand. */
interface Ask {
  readonly url: string;
  readonly method: 'GET' | 'POST';
  readonly headers: Record<string, string>;
  readonly body: undefined | string | (() => AsyncIterable<Uint8Array>);
  readonly signal: AbortSignal;
}

export interface Answered {
  readonly status: number;
  readonly body: AsyncIterable<Uint8Array> & { destroy?(): unknown; cancel?(): Promise<void> };
}

/** Sends a request; `misuse` is told what a handler must not see. */
export interface Client {
  readonly name: string;
  /** Whether requests with bodies may be given up: with undici 8 that may stop the process, see `uploads.ts`. */
  readonly uploads: boolean;
  send(ask: Ask): Promise<Answered>;
  close(): Promise<void>;
}

/** Attempts of a request that may be sent again. */
export const MAX_ATTEMPTS = 3;

const OPTIONS = {
  breaker: false,
  maxInFlight: Number.POSITIVE_INFINITY,
  connectTimeoutMs: 400,
  attemptTimeoutMs: 400,
  bodyIdleTimeoutMs: 400,
  totalTimeoutMs: 3000,
  exchangeTimeoutMs: 5000,
  retry: { maxAttempts: MAX_ATTEMPTS, initialDelayMs: 0 },
} as const;

const RELEASES = { 8: undici, 7: undici7 as never as typeof undici };

type Handler = undici.Dispatcher.DispatchHandler;

/** As TLS connects when the server has chosen HTTP/2. */
const connect: undici.buildConnector.connector = ({ hostname, port }, callback) => {
  const socket = Object.assign(createConnection(Number(port), hostname), { alpnProtocol: 'h2' });
  socket.once('connect', () => callback(null, socket as never));
  socket.on('error', (error) => callback(error, null));
};

/** A handler that checks the order of its events, and gives the body as it comes. */
class Checking implements Handler {
  readonly answered: Promise<Answered>;
  #resolve!: (answered: Answered) => void;
  #reject!: (error: unknown) => void;
  #body!: ReadableStreamDefaultController<Uint8Array>;
  #controller: undici.Dispatcher.DispatchController | undefined;
  #state: 'new' | 'begun' | 'headers' | 'over' = 'new';
  readonly #misuse: (what: string) => void;

  constructor(misuse: (what: string) => void) {
    this.#misuse = misuse;
    this.answered = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  #expect(event: string, ...states: string[]): void {
    if (!states.includes(this.#state)) this.#misuse(`${event} while ${this.#state}`);
  }

  onRequestStart(controller: undici.Dispatcher.DispatchController): void {
    this.#expect('onRequestStart', 'new');
    this.#state = 'begun';
    this.#controller = controller;
  }

  onResponseStart(
    controller: undici.Dispatcher.DispatchController,
    status: number,
    _headers: unknown,
  ): void {
    if (status < 200) return;
    this.#expect('onResponseStart', 'begun');
    this.#state = 'headers';
    const body = new ReadableStream<Uint8Array>({
      start: (own) => {
        this.#body = own;
      },
      pull: () => controller.resume(),
      cancel: (reason) => {
        this.#state = 'over';
        controller.abort(reason instanceof Error ? reason : new Error('cancelled'));
      },
    });
    this.#resolve({ status, body: body as never });
  }

  onResponseData(controller: undici.Dispatcher.DispatchController, chunk: Uint8Array): void {
    if (this.#state === 'over') return;
    this.#expect('onResponseData', 'headers');
    this.#body.enqueue(new Uint8Array(chunk));
    if ((this.#body.desiredSize ?? 0) <= 0) controller.pause();
  }

  onResponseEnd(): void {
    if (this.#state === 'over') return;
    this.#expect('onResponseEnd', 'headers');
    this.#state = 'over';
    this.#body.close();
  }

  onResponseError(_: undici.Dispatcher.DispatchController | undefined, error: Error): void {
    if (this.#state === 'headers') this.#body.error(error);
    else if (this.#state === 'over') return;
    this.#state = 'over';
    this.#reject(error);
  }

  abort(reason: Error): void {
    this.#controller?.abort(reason);
  }
}

function bodyOf({ body }: Ask): { body?: never } {
  return { body: typeof body === 'function' ? body() : body } as { body?: never };
}

/**
 * Each face on each release, with one connection and with a pool of them.
 *
 * @param releases - the majors of undici, as `78`
 * @param misuse - told of events in an order that undici does not have
 * @param sent - told of each attempt of Temper
 */
export function clients(
  origin: string,
  releases: string,
  misuse: (what: string) => void,
  sent: (id: string) => void,
): Client[] {
  const counting =
    (dispatch: undici.Dispatcher['dispatch']): undici.Dispatcher['dispatch'] =>
    (options, handler) => {
      sent((options.headers as Record<string, string>)['x-id'] as string);
      return dispatch(options, handler);
    };
  return Object.entries(RELEASES).flatMap(([release, library]) => {
    if (!releases.includes(release)) return [];
    const { H2CClient, Agent, fetch, request } = library;
    const dispatchers: [string, () => undici.Dispatcher][] = [
      ['one connection', () => new H2CClient(origin, { pipelining: 100 })],
      ['an agent', () => new Agent({ allowH2: true, connect, connections: 3, pipelining: 100 })],
    ];
    return dispatchers.flatMap(([connections, open]): Client[] => {
      const where = `undici ${release}, ${connections}`;
      const uploads = release === '7';
      const own = open();
      const guarded = resilientFetch({
        ...OPTIONS,
        fetch: ((input: string, init: { headers: Record<string, string> }) => {
          sent(new Headers(init.headers).get('x-id') as string);
          return fetch(input, { ...init, dispatcher: own });
        }) as never as typeof globalThis.fetch,
      });
      const inner = open();
      const dispatcher = inner.compose(counting, dispatcherInterceptor(OPTIONS));
      const raw = open();
      const rawDispatcher = raw.compose(counting, dispatcherInterceptor(OPTIONS));
      return [
        {
          name: `resilientFetch, ${where}`,
          uploads,
          send: async ({ url, ...ask }) => {
            const init = { ...ask, ...bodyOf({ url, ...ask }), duplex: 'half' };
            const { status, body } = await guarded(url, init as never);
            return { status, body: (body ?? []) as Answered['body'] };
          },
          close: () => own.destroy(),
        },
        {
          name: `dispatcherInterceptor, ${where}`,
          uploads,
          send: async ({ url, ...ask }) => {
            const init = { ...ask, ...bodyOf({ url, ...ask }), dispatcher };
            const { statusCode, body } = await request(url, init as never);
            body.on('error', () => {});
            return { status: statusCode, body: body as Answered['body'] };
          },
          close: () => inner.destroy(),
        },
        {
          name: `dispatch, ${where}`,
          uploads,
          send: async ({ url, method, headers, signal, ...ask }) => {
            const handler = new Checking((what) => misuse(`${where}: ${what}`));
            const init = { method, headers, path: '/', origin: new URL(url).origin, signal };
            signal.addEventListener('abort', () => handler.abort(signal.reason as Error));
            rawDispatcher.dispatch(
              { ...init, ...bodyOf({ url, method, headers, signal, ...ask }) } as never,
              handler,
            );
            return handler.answered;
          },
          close: () => raw.destroy(),
        },
      ];
    });
  });
}
