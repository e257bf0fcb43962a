import { connect } from 'node:net';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RegistryProcess } from '../src/launcher.ts';
import { MAX_TARBALL_BYTES } from '../src/tarball.ts';
import { ask, bearer, json, registryForFile } from './fixture.ts';

let registry: RegistryProcess;
let end: () => Promise<void>;
beforeAll(async () => {
  ({ registry, end } = await registryForFile({ faults: true }));
});
afterAll(() => end());

/** Sends raw bytes, and resolves with the response when the connection closes. */
function raw(text: string, limitMs = 5_000): Promise<string> {
  const { hostname, port } = new URL(registry.url);
  return new Promise((resolve, reject) => {
    let received = '';
    const socket = connect(Number(port), hostname, () => socket.write(text));
    socket.setTimeout(limitMs, () => socket.destroy(new Error(`still open: ${received}`)));
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(received));
  });
}

describe('invalid names', () => {
  it.each([
    '../../etc/passwd',
    '..%2f..%2fetc%2fpasswd',
    '%2e%2e',
    '%2e%2e%2f%2e%2e%2fetc%2fpasswd',
    '..%5c..%5cwindows',
    '%252e%252e',
    '.',
    '..',
    '.hidden',
    'std..math',
    'std.',
    '-std',
    'std-',
    'std_math',
    'Std.Math',
    'std%00math',
    'std%0d%0aSet-Cookie:%20x=1',
    'std%2fmath',
    '%F0%9F%98%80',
    '%ff',
    '%zz',
    'nul',
    'aux.text',
    'a'.repeat(65),
    'a'.repeat(400),
    "std'%20OR%20'1'='1",
    '__proto__',
    'constructor%00',
  ])('rejects an invalid name on every route: %s', async (name) => {
    for (const path of [
      `/packages/${name}`,
      `/packages/${name}/versions`,
      `/packages/${name}/resolve`,
      `/packages/${name}/1.0.0`,
      `/packages/${name}/1.0.0/download`,
    ]) {
      const answer = await ask(registry.url, path);
      expect([400, 404, 414], path).toContain(answer.status);
      expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
      expect(answer.headers['set-cookie']).toBeUndefined();
      expect(answer.body.toString()).not.toContain('root:');
    }
  });

  it('a very long name gets a short response', async () => {
    const answer = await ask(registry.url, `/packages/${'a'.repeat(8_000)}`);
    expect(answer.status).toBe(414);
    expect(answer.body.length).toBeLessThan(1_000);
  });

  it('an arbitrary invalid name is never found and never causes a 5xx', async () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 40 }),
      fc.string({ unit: fc.constantFrom('.', '/', '\\', '%', '2', 'e', 'f', '\0', 'a', ';', ' ') }),
    );
    const tail = fc.constantFrom('', '/versions', '/1.0.0', '/1.0.0/download', '/resolve?range=*');
    await fc.assert(
      fc.asyncProperty(text, tail, async (name, rest) => {
        const answer = await ask(
          registry.url,
          `/packages/${encodeURIComponent(name.toWellFormed())}${rest}`,
        );
        expect([200, 400, 404]).toContain(answer.status);
        if (answer.status === 200) expect([name, rest]).toEqual(['', '']);
      }),
      { numRuns: 300 },
    );
  });
});

describe('invalid requests', () => {
  const head = `Host: x\r\nAuthorization: Bearer`;

  it.each([
    ['garbage', 'garbage\r\n\r\n', 400],
    ['a version that does not exist', 'GET / HTTP/9.9\r\n\r\n', 400],
    ['a header without end', `GET / HTTP/1.1\r\nHost: x\r\nX: ${'y'.repeat(40_000)}\r\n\r\n`, 431],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nx',
      400,
    ],
    [
      'a length and chunks',
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
    ],
    ['no host', 'GET /health HTTP/1.1\r\nConnection: close\r\n\r\n', 400],
  ])(
    'responds to an invalid request and closes the connection: %s',
    async (_what, text, status) => {
      const answer = await raw(text);
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    },
  );

  it('responds 413 to a too large Content-Length before the body arrives', async () => {
    const answer = await raw(
      `POST /packages/publish HTTP/1.1\r\n${head} ${registry.token}\r\nContent-Type: application/gzip\r\nContent-Length: ${MAX_TARBALL_BYTES + 1}\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
    expect(answer).toContain('"code":"body-too-large"');
  });

  it('responds 413 as soon as a chunked body is too large', async () => {
    const chunk = `${(256 * 1024).toString(16)}\r\n${'x'.repeat(256 * 1024)}\r\n`;
    const answer = await raw(
      `POST /packages/publish HTTP/1.1\r\n${head} ${registry.token}\r\nContent-Type: application/gzip\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.repeat(5)}`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 413 /);
  });

  it('responds 401 before the body is read', async () => {
    const answer = await raw(
      `POST /packages/publish HTTP/1.1\r\n${head} wrong\r\nContent-Type: application/gzip\r\nContent-Length: 1000\r\nConnection: close\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('the registry works after invalid requests', async () => {
    const answer = await ask(registry.url, '/health');
    expect(json(answer)).toMatchObject({ status: 'ok' });
  });
});

describe('the fault routes', () => {
  it('faults cannot be controlled without the token, on either listener', async () => {
    for (const base of [registry.url, registry.controlUrl!]) {
      for (const method of ['GET', 'PUT', 'DELETE']) {
        for (const headers of [{}, bearer('wrong-wrong-wrong-wrong')]) {
          expect((await ask(base, '/faults', { method, headers })).status).toBe(401);
        }
      }
    }
  });

  it('invalid faults are rejected and every error is reported', async () => {
    const put = (plan: unknown) =>
      ask(registry.controlUrl!, '/faults', {
        method: 'PUT',
        headers: { ...bearer(registry.token), 'content-type': 'application/json' },
        body: JSON.stringify(plan),
      });
    for (const [fault, why] of [
      [{ kind: 'explode' }, 'faults[0].kind'],
      [{ kind: 'latency' }, 'latencyMs is required'],
      [{ kind: 'latency', latencyMs: -1 }, 'latencyMs must be a number from 0 to 60000'],
      [{ kind: 'error', status: 200 }, 'status must be one of'],
      [{ kind: 'error', status: 503, retryAfterSeconds: 1.5 }, 'retryAfterSeconds'],
      [{ kind: 'cut', fraction: 1 }, 'fraction'],
      [{ kind: 'hang', probability: 2 }, 'probability'],
      [
        { kind: 'hang', routes: ['/nowhere'] },
        'routes contains unknown routes /nowhere; known routes are',
      ],
      [{ kind: 'refuse', probability: 0.5 }, 'probability is not a member of a refuse fault'],
      [{ kind: 'hang', constructor: 1 }, 'constructor is not a member'],
      [{ kind: 'hang', durationMs: 0 }, 'durationMs'],
      [null, 'must be an object'],
    ] as const) {
      const answer = await put({ faults: [fault] });
      expect(answer.status).toBe(422);
      expect(answer.body.toString()).toContain(why);
    }
    for (const plan of [{}, null, [], { faults: {} }, { faults: [], seed: -1 }]) {
      expect((await put(plan)).status).toBe(422);
    }
    expect((await put({ faults: Array(33).fill({ kind: 'corrupt' }) })).status).toBe(422);
  });
});
