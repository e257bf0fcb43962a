import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { Hosts } from './hosts.ts';
import { Problem } from './problem.ts';

interface AccessOptions {
  /** Host names and addresses, without port, that the service accepts. */
  readonly hosts: readonly string[];
  /** Token that changes require. @defaultValue a new random token of 256 bits */
  readonly token?: string | undefined;
}

const SAFE_METHODS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Access checks: the `Host` header against DNS rebinding, the origin against cross-site requests, and
 * the bearer token for every change.
 */
export class Access {
  readonly token: string;
  readonly #hosts: Hosts;
  readonly #digest: Buffer;

  constructor(options: AccessOptions) {
    this.token = options.token ?? randomBytes(32).toString('base64url');
    this.#hosts = new Hosts(options.hosts);
    this.#digest = digestOf(this.token);
  }

  /**
   * @param rawHeaders - names and values in turn
   * @throws {Problem} 421 unless the `Host` header names an accepted host, 400 when there are several
   */
  checkHost(rawHeaders: readonly string[]): void {
    const verdict = this.#hosts.judge(rawHeaders);
    if (verdict === 'repeated') {
      throw new Problem('bad-request', 'A request must have one Host header.');
    }
    if (verdict === 'accepted') return;
    throw new Problem(
      'misdirected-request',
      'This service does not accept that host name. Start it with --allow-host to add one.',
    );
  }

  /**
   * Checks `Sec-Fetch-Site` and `Origin`. A request without both does not come from a browser and
   * passes.
   *
   * @throws {Problem} 403 for a request from another origin with an unsafe method
   */
  checkOrigin(method: string, headers: IncomingHttpHeaders): void {
    if (SAFE_METHODS.has(method)) return;
    const site = headers['sec-fetch-site'];
    if (site !== undefined && site !== 'same-origin' && site !== 'none') {
      throw new Problem('forbidden', 'Requests from another origin are not allowed.');
    }
    const { origin } = headers;
    if (origin === undefined) return;
    const from = URL.canParse(origin) ? new URL(origin).host.toLowerCase() : '';
    if (from === '' || from !== (headers.host ?? '').toLowerCase()) {
      throw new Problem('forbidden', 'Requests from another origin are not allowed.');
    }
  }

  /** Whether the request has the token. Compares in constant time. */
  hasToken({ authorization }: IncomingHttpHeaders): boolean {
    const given = /^Bearer +([\x21-\x7e]{1,256}) *$/i.exec(authorization ?? '')?.[1];
    return timingSafeEqual(digestOf(given ?? ''), this.#digest) && given !== undefined;
  }

  /** @throws {Problem} 401 unless the request has the token */
  requireToken(headers: IncomingHttpHeaders): void {
    if (this.hasToken(headers)) return;
    throw new Problem(
      'unauthorized',
      'Changes require the token of the operator. The address of the page that the service printed at startup contains it.',
      {
        headers: { 'www-authenticate': 'Bearer realm="parsercraft"' },
      },
    );
  }
}

function digestOf(text: string): Buffer {
  // timingSafeEqual needs equal lengths; digests also hide the length of a guess.
  return createHash('sha256').update(text).digest();
}
