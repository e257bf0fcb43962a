import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Problem } from './problem.ts';

interface AccessOptions {
  /** Names and addresses, without port, by which the service may be called. */
  readonly hosts: readonly string[];
  /** Needed to change anything. @defaultValue a new one of 256 bits */
  readonly token?: string;
}

const OF_THIS_MACHINE = ['localhost', '127.0.0.1', '[::1]'];
const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Who may do what. A name that resolves to this machine makes no caller of it (DNS rebinding), a page
 * of another origin can cause nothing here, and whoever changes something shows the token.
 */
export class Access {
  readonly token: string;
  readonly #hosts: ReadonlySet<string>;
  readonly #digest: Buffer;

  constructor(options: AccessOptions) {
    this.token = options.token ?? randomBytes(32).toString('base64url');
    this.#hosts = new Set([...OF_THIS_MACHINE, ...options.hosts].map((host) => host.toLowerCase()));
    this.#digest = digestOf(this.token);
  }

  /** @throws {Problem} 421, unless the request names a host that this service is known by */
  checkHost(headers: IncomingHttpHeaders): void {
    const host = (headers.host ?? '').toLowerCase().replace(/:\d+$/, '');
    if (this.#hosts.has(host)) return;
    throw new Problem(
      'misdirected-request',
      'This service does not go by that name; start it with --allow-host to change that.',
    );
  }

  /**
   * What a browser says of where a request comes from; one that says nothing is no browser.
   *
   * @throws {Problem} 403, for a request that may change something or costs work, from another origin
   */
  checkOrigin(method: string, headers: IncomingHttpHeaders): void {
    if (SAFE_METHODS.has(method)) return;
    const site = headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      throw new Problem('forbidden', 'A page of another origin cannot do this.');
    }
    const { origin } = headers;
    if (origin === undefined) return;
    const from = URL.canParse(origin) ? new URL(origin).host.toLowerCase() : '';
    if (from === '' || from !== (headers.host ?? '').toLowerCase()) {
      throw new Problem('forbidden', 'A page of another origin cannot do this.');
    }
  }

  /** Whether the token is shown; compared in a time that tells nothing of it. */
  hasToken({ authorization }: IncomingHttpHeaders): boolean {
    const given = /^Bearer +([\x21-\x7e]{1,256}) *$/i.exec(authorization ?? '')?.[1];
    return timingSafeEqual(digestOf(given ?? ''), this.#digest) && given !== undefined;
  }

  /** @throws {Problem} 401, unless the token is shown */
  requireToken(headers: IncomingHttpHeaders): void {
    if (this.hasToken(headers)) return;
    throw new Problem(
      'unauthorized',
      'Changing anything needs the token that was printed at the start.',
      {
        headers: { 'www-authenticate': 'Bearer realm="parsercraft"' },
      },
    );
  }

  /**
   * The token is handed to the service's own page and to nobody else: only a browser can say that a
   * request is of the same origin, and no script can make it say so.
   *
   * @throws {Problem} 403
   */
  requireOwnPage(headers: IncomingHttpHeaders): void {
    if (headers['sec-fetch-site'] === 'same-origin') return;
    throw new Problem('forbidden', 'Only the page of this service is told the token.');
  }
}

function digestOf(text: string): Buffer {
  // Digests are of one length, which timingSafeEqual needs, and a guess's length shows nowhere.
  return createHash('sha256').update(text).digest();
}
