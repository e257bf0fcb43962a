import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import { Problem } from '../problem.ts';
import { tokenVerifier } from '../token.ts';

const REALM = 'Bearer realm="parsercraft-registry"';

/** Lets nobody past who does not bring the token. */
export function requireToken(token: string): (request: FastifyRequest) => void {
  const verify = tokenVerifier(token);
  return (request) => {
    const { authorization } = request.headers;
    if (verify(authorization)) return;
    const missing = authorization === undefined;
    throw new Problem(
      'unauthorized',
      missing ? 'The request brings no token.' : 'The token is not the right one.',
      { headers: { 'www-authenticate': missing ? REALM : `${REALM}, error="invalid_token"` } },
    );
  };
}

/** Lets nobody past who comes from another machine. */
export function requireLoopback(request: FastifyRequest): void {
  const address = request.raw.socket.remoteAddress ?? '';
  if (/^(?:::ffff:)?127\.|^::1$/.test(address)) return;
  throw new Problem('forbidden', 'Faults are switched from this machine alone.');
}

/** Turns checks into a hook. */
export function before(...checks: ((request: FastifyRequest) => void)[]): onRequestHookHandler {
  return (request, _reply, done) => {
    for (const check of checks) check(request);
    done();
  };
}
