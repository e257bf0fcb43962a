import { resilientFetch } from '@temper/recovery/fetch';
import axios from 'axios';
import axiosRetryModule from 'axios-retry';
import got from 'got';
import ky from 'ky';
import { Agent, interceptors, RetryAgent, request } from 'undici';

/** A request, in words that all clients understand. */
export interface Ask {
  readonly method?: 'GET' | 'POST';
  readonly headers?: Record<string, string>;
  readonly body?: string;
}

/** Sends a request and reads the whole body; rejects when the answer is no 2xx. */
type Send = (url: string, ask?: Ask) => Promise<string>;

/** A client with its own resilience switched on: four attempts, and each timeout that it has. */
export interface Contender {
  readonly name: string;
  /** @param replica - an origin that serves the same, for those that hedge */
  make(timeoutMs: number, replica?: string): Send;
}

/** Short waits where they can be set, so that the suite is quick. */
const WAIT_MS = 10;
const RETRIES = 3;

const checked = async (status: number, text: Promise<string>): Promise<string> => {
  const body = await text;
  if (status >= 300) throw new Error(`answered with status ${status}`);
  return body;
};

const throughUndici =
  (dispatcher: Agent): Send =>
  async (url, ask = {}) => {
    const { statusCode, body } = await request(url, { ...ask, dispatcher });
    return checked(statusCode, body.text());
  };

const retries = { maxRetries: RETRIES, minTimeout: WAIT_MS, maxTimeout: 20 * WAIT_MS };

export const CONTENDERS: readonly Contender[] = [
  {
    name: 'Temper',
    make: (timeoutMs, replica) => {
      const fetch = resilientFetch({
        retry: { maxAttempts: RETRIES + 1, initialDelayMs: WAIT_MS },
        breaker: { failureThreshold: 10 },
        ...(replica === undefined ? {} : { hedge: { delayMs: 100, endpoints: [replica] } }),
        attemptTimeoutMs: timeoutMs,
        bodyIdleTimeoutMs: timeoutMs,
      });
      return async (url, ask) => {
        const response = await fetch(url, ask);
        return checked(response.status, response.text());
      };
    },
  },
  {
    name: 'undici RetryAgent',
    make: (timeoutMs) => {
      const agent = new Agent({ headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
      return throughUndici(new RetryAgent(agent, retries) as unknown as Agent);
    },
  },
  {
    name: 'undici interceptors',
    make: (timeoutMs) => {
      const agent = new Agent({ headersTimeout: timeoutMs, bodyTimeout: timeoutMs });
      const composed = agent.compose(interceptors.retry(retries), interceptors.responseError());
      return throughUndici(composed as unknown as Agent);
    },
  },
  {
    name: 'ky',
    make: (timeout) => {
      const client = ky.create({ timeout, retry: { limit: RETRIES, delay: () => WAIT_MS } });
      return (url, { method = 'GET', ...rest } = {}) => client(url, { method, ...rest }).text();
    },
  },
  {
    name: 'got',
    make: (timeoutMs) => {
      const client = got.extend({
        timeout: { response: timeoutMs, socket: timeoutMs },
        retry: { limit: RETRIES, backoffLimit: WAIT_MS },
      });
      return async (url, ask) => (await client(url, ask)).body;
    },
  },
  {
    name: 'axios-retry',
    make: (timeout) => {
      const client = axios.create({ timeout, responseType: 'text' });
      axiosRetryModule(client, { retries: RETRIES });
      return async (url, { body, ...ask } = {}) => {
        const { data } = await client.request<string>({ url, data: body, ...ask });
        return data;
      };
    },
  },
];
