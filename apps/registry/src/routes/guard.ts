import type { FastifyRequest, onRequestHookHandler } from 'fastify';
import { Problem } from '../problem.ts';
import { tokenVerifier } from '../token.ts';

const REALM = 'Bearer realm="parsercraft-registry"';

/** Rejects requests without the token. */
export function requireToken(token: string): (request: FastifyRequest) => void {
  const verify = tokenVerifier(token);
  return (request) => {
    const { authorization } = request.headers;
    if (verify(authorization)) return;
    const missing = authorization === undefined;
    throw new Problem(
      'unauthorized',
      missing ? 'The Authorization header is missing.' : 'The bearer token is invalid.',
      { headers: { 'www-authenticate': missing ? REALM : `${REALM}, error="invalid_token"` } },
    );
  };
}

/** Rejects requests from other machines. */
export function requireLoopback(request: FastifyRequest): void {
  const address = request.raw.socket.remoteAddress ?? '';
  if (/^(?:::ffff:)?127\.|^::1$/.test(address)) return;
  throw new Problem('forbidden', 'Faults can be controlled only from this machine.');
}

/** Combines checks into a hook. */
export function before(...checks: ((request: FastifyRequest) => void)[]): onRequestHookHandler {
  return (request, _reply, done) => {
    for (const check of checks) check(request);
    done();
  };
}
