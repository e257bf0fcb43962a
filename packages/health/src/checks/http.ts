import { request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';
import { checkOneOf, checkType, show } from '@temper/core';
import type { HealthCheck } from '../check-options.ts';
import type { CheckResult } from '../outcome.ts';
import { ask } from '../predicate.ts';
import { type BuiltInCheckOptions, builtIn } from './built-in.ts';

/** Options of {@link httpCheck}. */
export interface HttpCheckOptions extends BuiltInCheckOptions {
  /** The URL to request, `http:` or `https:`. */
  readonly url: string | URL;
  /** @defaultValue 'GET' */
  readonly method?: 'GET' | 'HEAD';
  /** Request headers. @defaultValue none */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Which status codes pass. Redirects are not followed. An error and a returned promise are logged
   * and count as `false`.
   *
   * @defaultValue status codes from 200 to 299
   */
  readonly accepts?: (status: number) => boolean;
}

const OWNER = 'httpCheck';

/**
 * Checks whether a URL responds with an accepted status code. Every probe opens a new connection,
 * because a reused one does not show that the server accepts connections.
 *
 * @throws {TypeError} when an option is missing, unknown or invalid
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
        const outgoing = request(url, { method, headers, signal, agent: false }, (response) => {
          const status = response.statusCode ?? 0;
          response.destroy();
          const observed = { name: 'http_status', value: status };
          // Without credentials and query, which may be secret.
          const message = `${url.origin}${url.pathname} responded with ${status}`;
          if (ask(OWNER, 'accepts', accepts, status)) resolve({ message, observed });
          else reject(new UnexpectedStatus(message, status));
        });
        outgoing.on('error', reject);
        outgoing.end();
      }),
  });
}

/** Has the status code as a property, so that `error.type` is the status code. */
class UnexpectedStatus extends Error {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}
