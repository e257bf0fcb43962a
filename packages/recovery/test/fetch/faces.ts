import { type Dispatcher, request } from 'undici';
import {
  type HttpCallOptions,
  type HttpResilienceOptions,
  resilientFetch,
} from '../../src/fetch/index.ts';
import { agentWith } from './guarded.ts';

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

/** The two faces of the engine. */
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
  [
    'dispatcherInterceptor',
    (options = {}) => {
      const { agent, guard } = agentWith({ retry: {}, ...options });
      return {
        send: async (url, ask = {}) => {
          const own = { ...ask, dispatcher: agent } as { dispatcher: Dispatcher };
          const { statusCode, headers, body } = await request(url, own);
          return { status: statusCode, headers: headers as Record<string, string>, body };
        },
        stats: () => guard.stats(),
      };
    },
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
