import type { IncomingMessage } from 'node:http';
import type { ConnectionOptions } from 'node:tls';
import { ask, checkKnown, type OptionRule, oneOfRule, show, typeRule } from '@temper/core/policy';
import type { HealthCheck } from '../check-options.ts';
import type { CheckResult } from '../outcome.ts';
import { type BuiltInCheckOptions, resolveCheckOptions } from './built-in.ts';

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
  /**
   * For `https:`: certificate authorities instead of those of Node, a client certificate with its key,
   * and the server name that the certificate must be for, as in `tls.connect`.
   *
   * @defaultValue none
   */
  readonly tls?: HttpCheckTls;
}

type HttpCheckTls = Pick<
  ConnectionOptions,
  'ca' | 'cert' | 'key' | 'passphrase' | 'pfx' | 'servername'
>;

const OWNER = 'httpCheck';

const TLS_OPTIONS = ['ca', 'cert', 'key', 'passphrase', 'pfx', 'servername'] as const;

const urlRule: OptionRule = (owner, option, value) => {
  const url = URL.parse(String(value));
  if (url !== null && ['http:', 'https:'].includes(url.protocol)) return;
  throw new TypeError(`${owner}: ${option} must be an http or https URL, got ${show(value)}.`);
};

/**
 * Checks whether a URL responds with an accepted status code. Every probe opens a new connection,
 * because a reused one does not show that the server accepts connections.
 *
 * @throws {TypeError} when an option is missing, unknown or invalid
 */
export function httpCheck(options: HttpCheckOptions): HealthCheck {
  const {
    url: target,
    method,
    headers,
    accepts,
    tls,
    ...common
  } = resolveCheckOptions<HttpCheckOptions, 'url'>(
    OWNER,
    options,
    { method: 'GET', headers: {}, accepts: (status) => status >= 200 && status < 300, tls: {} },
    {
      url: urlRule,
      method: oneOfRule(['GET', 'HEAD']),
      headers: typeRule('object'),
      accepts: typeRule('function'),
      tls: (owner, option, value) => checkKnown(`${owner}: ${option}`, value, TLS_OPTIONS),
    },
  );
  urlRule(OWNER, 'url', target);
  const url = new URL(target);
  // Loaded only for such a check, since they take longer to load than all checks together.
  const { request } = process.getBuiltinModule(
    url.protocol === 'https:' ? 'node:https' : 'node:http',
  );
  return {
    name: 'http',
    dependency: true,
    check: ({ signal }) =>
      new Promise<CheckResult>((resolve, reject) => {
        const answered = (response: IncomingMessage): void => {
          const status = response.statusCode ?? 0;
          response.destroy();
          const observed = { name: 'http_status', value: status };
          // Without credentials and query, which may be secret.
          const message = `${url.origin}${url.pathname} responded with ${status}`;
          if (ask(OWNER, 'accepts', accepts, status)) resolve({ message, observed });
          else reject(new UnexpectedStatus(message, status));
        };
        const outgoing = request(url, { ...tls, method, headers, signal, agent: false }, answered);
        outgoing.on('error', reject);
        // A server that switches protocols sends no response that Node would report otherwise.
        outgoing.on('upgrade', (response, socket) => {
          socket.destroy();
          answered(response);
        });
        outgoing.end();
      }),
    ...common,
  };
}

/** Has the status code as a property, so that `error.type` is the status code. */
class UnexpectedStatus extends Error {
  readonly status: number;

  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}
