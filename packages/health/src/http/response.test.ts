import { expectDiagnostics } from '@temper/testkit/repository/diagnostics';
import { describe, expect, it, vi } from 'vitest';
import { type HealthMonitor, healthMonitor } from '../monitor.ts';
import { healthFetch } from './fetch-handler.ts';
import type { HealthHandlerOptions } from './options.ts';

const DETAILS: HealthHandlerOptions<Request> = { details: 'always' };

function service(): HealthMonitor {
  return healthMonitor({
    name: 'shop',
    checks: [
      { name: 'loop', groups: ['liveness', 'readiness'], check: () => true },
      {
        name: 'postgres',
        componentType: 'datastore',
        check: () => {
          throw new Error('password authentication failed for user "shop"\nat 10.0.0.7');
        },
      },
      {
        name: 'cache',
        critical: false,
        check: () => ({
          status: 'degraded',
          message: 'evicting',
          observed: { name: 'utilization', value: 0.97, unit: '1' },
          details: { hits: 12n },
        }),
      },
    ],
  });
}

async function ask(
  monitor: HealthMonitor,
  path: string,
  options: HealthHandlerOptions<Request> = {},
  init: RequestInit = {},
) {
  const response = await healthFetch(monitor, options)(new Request(`http://svc${path}`, init));
  if (response === undefined) return undefined;
  return { status: response.status, headers: response.headers, text: await response.text() };
}

const accept = (type: string) => ({ headers: { accept: type } });

describe('without details', () => {
  it('returns only the status without details, for any query and Accept header', async () => {
    const secret = /postgres|cache|password|10\.0\.0\.7|shop|evicting/;
    for (const query of ['', '?verbose', '?verbose&exclude=postgres', '?exclude=postgres,cache']) {
      for (const type of ['*/*', 'application/health+json', 'application/json']) {
        const answer = await ask(service(), `/readyz${query}`, {}, accept(type));
        expect(answer?.status).toBe(503);
        expect(answer?.text).toBe(type === '*/*' ? 'unhealthy\n' : '{"status":"fail"}\n');
        answer?.headers.delete('cache-control');
        expect(JSON.stringify([...(answer?.headers ?? [])])).not.toMatch(secret);
      }
    }
  });

  it('returns ok for healthy, and 200 for degraded', async () => {
    expect(await ask(service(), '/livez')).toMatchObject({ status: 200, text: 'ok\n' });
    const degraded = healthMonitor({ checks: [{ name: 'a', check: () => 'degraded' as const }] });
    expect(await ask(degraded, '/readyz')).toMatchObject({ status: 200, text: 'degraded\n' });
    const consul = { degradedStatus: 429 };
    expect(await ask(degraded, '/readyz', consul)).toMatchObject({ status: 429 });
    expect(await ask(service(), '/livez', consul)).toMatchObject({ status: 200 });
    expect(await ask(service(), '/readyz', consul)).toMatchObject({ status: 503 });
  });
});

describe('with details', () => {
  it('lists the checks for ?verbose in the format of the Kubernetes API server', async () => {
    const answer = await ask(service(), '/readyz?verbose', DETAILS);
    expect(answer?.text.split('\n')).toEqual([
      '[+]loop ok',
      '[-]postgres unhealthy: password authentication failed for user "shop" at 10.0.0.7',
      '[!]cache degraded: evicting',
      'readyz check failed',
      '',
    ]);
  });

  it('lists the checks of a failure without ?verbose', async () => {
    expect((await ask(service(), '/readyz', DETAILS))?.text).toContain('[-]postgres');
    expect((await ask(service(), '/livez', DETAILS))?.text).toBe('ok\n');
  });

  it('excludes checks by ?exclude= and warns about unknown names', async () => {
    for (const query of ['exclude=postgres&exclude=nobody', 'exclude=postgres,nobody']) {
      const answer = await ask(service(), `/readyz?verbose&${query}`, DETAILS);
      expect(answer?.status).toBe(200);
      expect(answer?.text.split('\n')).toEqual([
        '[+]loop ok',
        '[ ]postgres excluded: unhealthy',
        '[!]cache degraded: evicting',
        'warn: cannot exclude unknown checks "nobody"',
        'readyz check passed',
        '',
      ]);
    }
  });

  it('renders health+json as in the draft', async () => {
    const answer = await ask(service(), '/readyz', DETAILS, accept('application/health+json'));
    expect(answer?.headers.get('content-type')).toBe('application/health+json');
    const body = JSON.parse(answer?.text ?? '');
    expect(body).toMatchObject({
      status: 'fail',
      serviceId: 'shop',
      checks: {
        'loop:status': [{ componentId: 'loop', componentType: 'component', status: 'pass' }],
        'postgres:status': [{ componentType: 'datastore', status: 'fail', critical: true }],
        'cache:utilization': [
          {
            status: 'warn',
            observedValue: 0.97,
            observedUnit: '1',
            output: 'evicting',
            details: { hits: '12' },
          },
        ],
      },
    });
    expect(body.checks['loop:status'][0]).not.toHaveProperty('output');
    expect(Date.parse(body.checks['postgres:status'][0].time)).not.toBeNaN();
  });

  it('includes the reason of a status that does not come from checks', async () => {
    const monitor = service();
    monitor.setReady(false, 'shutting down');
    expect((await ask(monitor, '/readyz', DETAILS))?.text).toBe(
      '[-]shutting down\nreadyz check failed\n',
    );
    const answer = await ask(monitor, '/readyz', DETAILS, accept('application/json'));
    expect(JSON.parse(answer?.text ?? '')).toMatchObject({
      status: 'fail',
      output: 'shutting down',
    });
  });

  it('responds without details that cannot be serialized', async () => {
    expectDiagnostics(/details threw an error/);
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const hostile = {
      toJSON() {
        throw new Error('no');
      },
    };
    for (const details of [circular, hostile as unknown as Record<string, unknown>]) {
      const monitor = healthMonitor({ checks: [{ name: 'a', check: () => ({ details }) }] });
      const answer = await ask(monitor, '/readyz', DETAILS, accept('application/json'));
      expect(answer?.status).toBe(200);
      expect(JSON.parse(answer?.text ?? '').status).toBe('pass');
    }
  });

  it('includes details for requests that the details function allows', async () => {
    const details = vi.fn((request: Request) => request.headers.get('authorization') === 'ops');
    const monitor = service();
    const without = await ask(monitor, '/readyz?verbose', { details });
    const with_ = await ask(
      monitor,
      '/readyz?verbose',
      { details },
      { headers: { authorization: 'ops' } },
    );
    expect(without?.text).toBe('unhealthy\n');
    expect(with_?.text).toContain('[-]postgres');
  });

  it('are kept back when the user function throws, or says something that is not true', async () => {
    expectDiagnostics(/details threw an error/);
    const broken = [
      () => {
        throw new Error('auth is down');
      },
      () => 'yes' as unknown as boolean,
      () => 1 as unknown as boolean,
      () => ({ user: 'ops' }) as unknown as boolean,
      () => () => true,
      async () => true,
    ];
    for (const details of broken as unknown as (() => boolean)[]) {
      expect((await ask(service(), '/readyz?verbose', { details }))?.text).toBe('unhealthy\n');
    }
  });
});

describe('probes', () => {
  it('responds to HEAD as to GET, without a body', async () => {
    const get = await ask(service(), '/readyz');
    const head = await ask(service(), '/readyz', {}, { method: 'HEAD' });
    expect(head?.text).toBe('');
    expect(head?.status).toBe(503);
    expect([...(head?.headers ?? [])]).toEqual([...(get?.headers ?? [])]);
  });

  it('responds with 405 to other methods', async () => {
    const answer = await ask(service(), '/readyz', {}, { method: 'POST' });
    expect(answer?.status).toBe(405);
    expect(answer?.headers.get('allow')).toBe('GET, HEAD');
  });

  it('forbids caching', async () => {
    expect((await ask(service(), '/livez'))?.headers.get('cache-control')).toBe('no-store');
  });

  it('ignores other paths', async () => {
    for (const path of ['/', '/ready', '/readyz/', '/readyz/postgres', '/READYZ', '//readyz']) {
      expect(await ask(service(), path)).toBeUndefined();
    }
  });

  it('responds on configured paths', async () => {
    const paths = { liveness: '/-/alive', readiness: '/-/ready' };
    expect(await ask(service(), '/-/alive', { paths })).toMatchObject({ status: 200 });
    expect(await ask(service(), '/livez', { paths })).toBeUndefined();
    expect(await ask(service(), '/startupz', { paths })).toMatchObject({ status: 200 });
    const verbose = await ask(service(), '/-/ready?verbose', { paths, details: 'always' });
    expect(verbose?.text).toContain('ready check failed');
  });

  it.each([
    [
      { details: 'sometimes' },
      "healthFetch: details must be one of 'never', 'always', got 'sometimes'.",
    ],
    [{ detail: 'always' }, "healthFetch: unknown option 'detail'"],
    [
      { paths: { readiness: 'readyz' } },
      "paths.readiness must be a path that starts with '/', got 'readyz'.",
    ],
    [{ paths: { readiness: '/livez' } }, "paths must be different, got '/livez' twice."],
    [{ paths: { ready: '/r' } }, "healthFetch: paths: unknown option 'ready'"],
  ])('rejects the handler options %o', (options, message) => {
    expect(() => healthFetch(service(), options as never)).toThrow(message);
  });
});
