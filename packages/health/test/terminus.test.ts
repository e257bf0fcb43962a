import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createTerminus, HealthCheckError, type TerminusOptions } from '@godaddy/terminus';
import { type HealthMonitor, healthMonitor } from '@temper/health';
import { type TerminusHandlerOptions, terminusHandler } from '@temper/health/terminus';
import { expectDiagnostics } from '@temper/testkit/repository/diagnostics';
import { afterEach, describe, expect, it } from 'vitest';

/** On which terminus shuts down here. Emitted on the real `process`; nothing else listens to it. */
const SIGNAL = 'SIGUSR2';
const PATH = '/healthcheck';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0)) await clean();
  process.removeAllListeners(SIGNAL);
});

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  return (server.address() as AddressInfo).port;
}

/** What terminus and a handler of ours have in common. */
type Common = Omit<TerminusHandlerOptions, 'details' | 'paths'>;

interface Services {
  readonly health: HealthMonitor;
  /** The responses of terminus and of ours to one path. */
  ask(path?: string, method?: string): Promise<readonly [Answer, Answer]>;
}

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly type: string | null;
  readonly region: string | null;
}

/** The real terminus and ours with the same options and the same health check. */
async function bothWith(check: () => Promise<unknown>, options: Common = {}): Promise<Services> {
  const { verbatim = false, ...rest } = options;
  const fallback = (path: string | undefined): string => `not a probe: ${path}`;
  const theirs = createServer((request, response) => response.end(fallback(request.url)));
  createTerminus(theirs, {
    // It writes into the bodies that it is given.
    ...structuredClone(rest as TerminusOptions),
    healthChecks: { [PATH]: check, verbatim },
    signal: SIGNAL,
    beforeShutdown: () => new Promise(() => {}),
  });
  const health = healthMonitor({
    ttlMs: 0,
    checks: [
      {
        name: 'shop',
        check: async () => {
          const info = (await check()) as Record<string, unknown> | undefined;
          return info === undefined ? true : { details: info };
        },
      },
    ],
  });
  const probes = terminusHandler(health, {
    ...options,
    paths: { readiness: PATH },
    details: 'always',
  });
  const ours = createServer((request, response) =>
    probes(request, response, () => response.end(fallback(request.url))),
  );
  const ports = [await listen(theirs), await listen(ours)];
  return {
    health,
    ask: async (path = PATH, method = 'GET') => {
      const answers = ports.map(async (port) => {
        const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
        return {
          status: response.status,
          body: await response.text(),
          type: response.headers.get('content-type'),
          region: response.headers.get('x-region'),
        };
      });
      return (await Promise.all(answers)) as [Answer, Answer];
    },
  };
}

const fails =
  (error: unknown): (() => Promise<never>) =>
  async () => {
    throw error;
  };

const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), {
  errno: -111,
  code: 'ECONNREFUSED',
  syscall: 'connect',
  address: '127.0.0.1',
  port: 5432,
});

const CHECKS: [string, () => Promise<unknown>, string][] = [
  ['healthy', async () => undefined, '{"status":"ok"}'],
  [
    'healthy with details',
    async () => ({ postgres: { connections: 7, primary: true }, queues: ['mail', null, 1.5] }),
    '{"status":"ok","info":{"postgres":{"connections":7,"primary":true},"queues":["mail",null,1.5]},"details":{"postgres":{"connections":7,"primary":true},"queues":["mail",null,1.5]}}',
  ],
  ['failing without causes', fails(new Error('down')), '{"status":"error"}'],
  [
    'failing with errors as causes',
    fails(new HealthCheckError('failed', [new TypeError('cache is down'), refused])),
    '{"status":"error","error":[{"message":"cache is down"},{"message":"connect ECONNREFUSED 127.0.0.1:5432","errno":-111,"code":"ECONNREFUSED","syscall":"connect","address":"127.0.0.1","port":5432}],"details":[{"message":"cache is down"},{"message":"connect ECONNREFUSED 127.0.0.1:5432","errno":-111,"code":"ECONNREFUSED","syscall":"connect","address":"127.0.0.1","port":5432}]}',
  ],
  [
    'failing with an object as causes',
    fails(new HealthCheckError('failed', { postgres: { status: 'down', tries: 3 } })),
    '{"status":"error","error":{"postgres":{"status":"down","tries":3}},"details":{"postgres":{"status":"down","tries":3}}}',
  ],
  [
    'failing with an error that has a cause',
    fails(new HealthCheckError('failed', [new Error('outer', { cause: new Error('inner') })])),
    '{"status":"error","error":[{"message":"outer","cause":{"message":"inner"}}],"details":[{"message":"outer","cause":{"message":"inner"}}]}',
  ],
  [
    'failing with text as causes',
    fails(new HealthCheckError('failed', 'no replica')),
    '{"status":"error","error":"no replica","details":"no replica"}',
  ],
  [
    'failing with no causes',
    fails(new HealthCheckError('failed', undefined)),
    '{"status":"error"}',
  ],
];

describe('beside the real terminus', () => {
  it.each(CHECKS)('has the same status code and body: %s', async (_, check, body) => {
    const [theirs, ours] = await (await bothWith(check)).ask();
    expect(ours).toEqual(theirs);
    expect(ours.body).toBe(body);
  });

  it.each<[string, Common]>([
    ['verbatim', { verbatim: true }],
    ['statusOk', { statusOk: 418 }],
    ['statusError', { statusError: 500 }],
    ['statusOkResponse', { statusOkResponse: { health: 'fine', version: 3 } }],
    ['statusErrorResponse', { statusErrorResponse: { health: 'bad' } }],
    [
      'all of them',
      {
        verbatim: true,
        statusOk: 201,
        statusError: 500,
        statusOkResponse: { health: 'fine' },
        statusErrorResponse: { health: 'bad' },
        headers: { 'X-Region': 'eu', 'Content-Type': 'application/vnd.shop+json' },
      },
    ],
    ['headers', { headers: { 'X-Region': 'eu' } }],
  ])('has the same answers with %s', async (_, options) => {
    for (const [, check] of CHECKS) {
      const [theirs, ours] = await (await bothWith(check, options)).ask();
      expect(ours).toEqual(theirs);
    }
  });

  it('has the same answer while it shuts down, except for further headers', async () => {
    for (const [, check] of CHECKS) {
      const { ask, health } = await bothWith(check, { statusErrorResponse: { health: 'bad' } });
      process.emit(SIGNAL);
      health.setReady(false, 'shutting down');
      const [theirs, ours] = await ask();
      expect(ours).toEqual(theirs);
      expect(ours).toMatchObject({ status: 503, body: '{"health":"bad"}' });
      process.removeAllListeners(SIGNAL);
    }
  });

  it.each([false, true])(
    'takes the same requests for probes, caseInsensitive: %s',
    async (each) => {
      const { ask } = await bothWith(async () => undefined, { caseInsensitive: each });
      for (const path of [PATH, '/HealthCheck', '/HEALTHCHECK', '/', '/healthcheck/', '/health']) {
        const [theirs, ours] = await ask(path);
        expect(ours).toEqual(theirs);
      }
    },
  );

  it('forgets the details of earlier answers, which terminus keeps in the body it is given', async () => {
    let info: object = { first: 1 };
    const { ask } = await bothWith(async () => info, { verbatim: true });
    await ask();
    info = { second: 2 };
    const [theirs, ours] = await ask();
    expect(theirs.body).toBe('{"status":"ok","first":1,"second":2}');
    expect(ours.body).toBe('{"status":"ok","second":2}');
  });
});

describe('several checks', () => {
  async function answerOf(health: HealthMonitor, options: TerminusHandlerOptions = {}) {
    const port = await listen(createServer(terminusHandler(health, options)));
    const response = await fetch(`http://127.0.0.1:${port}/readyz`);
    const text = await response.text();
    return { status: response.status, body: text === '' ? '' : (JSON.parse(text) as unknown) };
  }

  it('have their details in one object, and their causes in one list', async () => {
    let broken = false;
    const health = healthMonitor({
      ttlMs: 0,
      checks: ['a', 'b'].map((name) => ({
        name,
        check: async () => {
          if (broken) throw new HealthCheckError('failed', [new Error(`${name} is down`)]);
          return { details: { [name]: 'up' } };
        },
      })),
    });
    const up = { a: 'up', b: 'up' };
    expect(await answerOf(health, { details: 'always' })).toEqual({
      status: 200,
      body: { status: 'ok', info: up, details: up },
    });
    broken = true;
    const error = [{ message: 'a is down' }, { message: 'b is down' }];
    expect(await answerOf(health, { details: 'always' })).toEqual({
      status: 503,
      body: { status: 'error', error, details: error },
    });
    expect(await answerOf(health)).toEqual({ status: 503, body: { status: 'error' } });
  });

  it('have no details that cannot be read, and no credentials', async () => {
    expectDiagnostics(/details threw an error/);
    const causes = [new Error('connect postgres://shop:secret@db/shop failed')];
    const leaky = healthMonitor({
      checks: [{ name: 'a', check: fails(new HealthCheckError('failed', causes)) as never }],
    });
    const { body } = await answerOf(leaky, { details: 'always' });
    expect(JSON.stringify(body)).not.toContain('secret');
    const hostile = {
      get secret(): never {
        throw new Error('no');
      },
    };
    const unreadable = healthMonitor({
      checks: [{ name: 'a', check: () => ({ details: hostile }) }],
    });
    expect(await answerOf(unreadable, { details: 'always' })).toEqual({
      status: 200,
      body: { status: 'ok' },
    });
  });

  it('are not asked by other methods than GET and HEAD', async () => {
    const health = healthMonitor();
    const port = await listen(createServer(terminusHandler(health)));
    const ask = (method: string) => fetch(`http://127.0.0.1:${port}/readyz`, { method });
    expect((await ask('POST')).status).toBe(405);
    const head = await ask('HEAD');
    expect([head.status, await head.text(), head.headers.get('content-length')]).toEqual([
      200,
      '',
      '15',
    ]);
  });

  it.each<[TerminusHandlerOptions, string]>([
    [{ statusOk: 99 }, 'terminusHandler: statusOk must be an integer from 200 to 599'],
    [{ verbatim: 'yes' as unknown as boolean }, 'terminusHandler: verbatim must be a boolean'],
    [{ headers: { 'X Region': 'eu' } }, 'Header name must be a valid HTTP token ["X Region"]'],
    [{ headers: { region: 'eu\n' } }, 'Invalid character in header content ["region"]'],
    [
      { onSignal: () => {} } as TerminusHandlerOptions,
      "terminusHandler: unknown option 'onSignal'",
    ],
    [
      { caseInsensitive: true, paths: { liveness: '/Health', readiness: '/health' } },
      "terminusHandler: paths must be different, got '/health' twice.",
    ],
  ])('are refused with the options %o', (options, message) => {
    expect(() => terminusHandler(healthMonitor(), options)).toThrow(message);
  });
});
