import * as undici from 'undici';
import * as undici7 from 'undici-7';
import { onTestFinished } from 'vitest';
import {
  dispatcherInterceptor,
  type HttpCallOptions,
  type HttpResilienceOptions,
  resilientFetch,
} from '../../src/fetch/index.ts';

/** A request, in the words that both faces understand. */
interface Ask {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  readonly call?: HttpCallOptions;
  readonly signal?: AbortSignal;
}

/** The answer: its status, its headers, and its body as it comes. */
export interface Answered {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: AsyncIterable<Uint8Array>;
}

/** Sends requests behind the pipeline. */
type Send = (url: string, ask?: Ask) => Promise<Answered>;

interface Face {
  readonly send: Send;
  stats(): ReturnType<ReturnType<typeof resilientFetch>['stats']>;
}

/** The interceptor, on one release of undici. */
function onUndici({ Agent, request }: typeof undici, options: HttpResilienceOptions): Face {
  const guard = dispatcherInterceptor(options);
  const own = new Agent();
  onTestFinished(() => own.destroy());
  const dispatcher = own.compose(guard);
  return {
    send: async (url, ask = {}) => {
      const { statusCode, headers, body } = await request(url, { ...ask, dispatcher } as object);
      return { status: statusCode, headers: headers as Record<string, string>, body };
    },
    stats: () => guard.stats(),
  };
}

/** The two faces of the engine, one of them on two releases. */
export const FACES: readonly [string, (options?: HttpResilienceOptions) => Face][] = [
  [
    'resilientFetch',
    (options) => {
      const fetch = resilientFetch(options);
      return {
        send: async (url, ask = {}) => {
          const init = (ask.body === undefined ? ask : { ...ask, duplex: 'half' }) as RequestInit;
          const response = await fetch(url, init);
          const { status } = response;
          const body = (response.body ?? []) as AsyncIterable<Uint8Array>;
          return { status, headers: Object.fromEntries(response.headers), body };
        },
        stats: () => fetch.stats(),
      };
    },
  ],
  ['dispatcherInterceptor on undici 8', (options = {}) => onUndici(undici, options)],
  [
    'dispatcherInterceptor on undici 7',
    (options = {}) => onUndici(undici7 as never as typeof undici, options),
  ],
];

/** @returns the status and the text of the answer */
export async function read(
  answer: Answered | Promise<Answered>,
): Promise<[status: number, text: string]> {
  const { status, body } = await answer;
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of body) text += decoder.decode(chunk, { stream: true });
  return [status, text];
}
