import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { checkOneOf, checkType, show } from '@temper/core';
import type { HealthCheck } from '../check-options.ts';
import type { CheckResult } from '../outcome.ts';
import { type BuiltInCheckOptions, builtIn } from './built-in.ts';

/** Options of {@link httpCheck}. */
export interface HttpCheckOptions extends BuiltInCheckOptions {
  /** What to ask for; `http:` or `https:`. */
  readonly url: string | URL;
  /** @defaultValue 'GET' */
  readonly method?: 'GET' | 'HEAD';
  /** Request headers. @defaultValue none */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Which status codes are fine. Redirects are not followed.
   *
   * @defaultValue 200 to 299
   */
  readonly accepts?: (status: number) => boolean;
}

const OWNER = 'httpCheck';

/**
 * Whether a URL answers well. Every probe makes a connection of its own: one that has been kept open
 * proves nothing about the next.
 *
 * @throws {TypeError} when an option is missing, unknown or wrong
 */
export function httpCheck(options: HttpCheckOptions): HealthCheck {
  const url = URL.parse(String(options.url));
  if (url === null || !['http:', 'https:'].includes(url.protocol)) {
    throw new TypeError(`${OWNER}: url must be an http or https URL, got ${show(options.url)}.`);
  }
  const method = checkOneOf(OWNER, 'method', options.method ?? 'GET', ['GET', 'HEAD']);
  const accepts = options.accepts ?? ((status) => status >= 200 && status < 300);
  checkType(OWNER, 'accepts', accepts, 'function');
  const headers = options.headers ?? {};
  checkType(OWNER, 'headers', headers, 'object');
  const request = url.protocol === 'https:' ? requestHttps : requestHttp;
  return builtIn(OWNER, options, ['url', 'method', 'headers', 'accepts'], {
    name: 'http',
    dependency: true,
    check: ({ signal }) =>
      new Promise<CheckResult>((resolve, reject) => {
        const asked = request(url, { method, headers, signal, agent: false }, (response) => {
          const status = response.statusCode ?? 0;
          response.destroy();
          const observed = { name: 'http_status', value: status };
          // Credentials and query stay out of the message.
          const said = `${url.origin}${url.pathname} answered ${status}`;
          if (accepts(status)) resolve({ message: said, observed });
          else reject(new UnexpectedStatus(said, status));
        });
        asked.on('error', reject);
        asked.end();
      }),
  });
}

/** Carries the status, so that `error.type` is the status. */
class UnexpectedStatus extends Error {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}
