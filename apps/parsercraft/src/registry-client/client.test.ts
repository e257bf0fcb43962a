import { readdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { webServer } from '../../test/http-server.ts';
import { packageServer } from '../../test/package-server.ts';
import { folder, PACKAGES, setUp } from '../../test/registry-set-up.ts';
import { diskCache, memoryCache } from './cache.ts';
import { RegistryClient } from './client.ts';
import {
  PackageNotFoundError,
  RegistryConnectionError,
  RegistryHttpError,
  RegistryResponseError,
  RegistryTimeoutError,
} from './errors.ts';
import { packageSources } from './package-sources.ts';

describe('the registry client', () => {
  it('returns the versions of a package and the metadata of a version', async () => {
    const { client } = await setUp();
    expect((await client.versions('std.math')).value.versions).toEqual(['1.0.0', '1.1.0']);
    expect((await client.metadata('std.text', '0.3.0')).value).toMatchObject({
      name: 'std.text',
      version: '0.3.0',
      dependencies: { 'std.math': '^1.0.0' },
    });
    expect((await client.metadata('std.math')).value.version).toBe('1.1.0');
  });

  it('installs a package with its verified dependencies', async () => {
    const { client } = await setUp();
    const { packages, lock } = await client.install({ 'std.text': '^0.3.0' });
    expect([...packages.keys()]).toEqual(['std.math', 'std.text']);
    expect(packages.get('std.math')).toMatchObject({
      source: 'fn two(): int { return 2 }\n',
      fromCache: false,
      metadata: { version: '1.1.0' },
    });
    expect(packageSources(packages).get('std.math')?.definition.name).toBe('core');
    expect(lock).toMatchObject({
      lockfileVersion: 1,
      requirements: { 'std.text': '^0.3.0' },
      packages: { 'std.math': { version: '1.1.0' }, 'std.text': { version: '0.3.0' } },
    });
  });

  it('revalidates only expired metadata, with a conditional request', async () => {
    const { client, asked, pass } = await setUp();
    const first = await client.fetchPackage('std.math');
    expect(first).toMatchObject({ fromCache: false, ageMs: 0, fetchedAt: 1_000_000 });
    expect(asked.splice(0)).toEqual([
      'GET /packages/std.math/versions',
      'GET /packages/std.math/1.1.0',
      'GET /packages/std.math/1.1.0/download',
    ]);
    pass(60_000);
    expect(await client.fetchPackage('std.math')).toMatchObject({ fromCache: true, ageMs: 60_000 });
    expect(asked.splice(0)).toEqual([]);
    pass(1);
    expect(await client.fetchPackage('std.math')).toMatchObject({ fromCache: false, ageMs: 0 });
    // The tarball is not fetched again: it is cached by checksum.
    expect(asked.splice(0)).toEqual([
      'GET /packages/std.math/versions',
      'GET /packages/std.math/1.1.0',
    ]);
  });

  it('lastKnown returns cached metadata of any age without a request', async () => {
    const { client, asked, pass } = await setUp();
    expect(await client.lastKnown('std.math')).toBeUndefined();
    await client.metadata('std.math');
    asked.splice(0);
    pass(86_400_000);
    expect(await client.lastKnown('std.math')).toMatchObject({
      value: { version: '1.1.0' },
      ageMs: 86_400_000,
      fromCache: true,
    });
    const stale = await client.metadata('std.math', undefined, {
      maxAgeMs: Number.POSITIVE_INFINITY,
    });
    expect(stale.ageMs).toBe(86_400_000);
    expect(asked).toEqual([]);
  });

  it('the disk cache is reused by another client', async () => {
    const path = await folder();
    const { client, asked } = await setUp(PACKAGES, { cache: diskCache(path) });
    await client.fetchPackage('std.text');
    asked.splice(0);
    const later = new RegistryClient({
      url: 'http://127.0.0.1:9',
      now: () => 1_000_000,
      cache: diskCache(path),
    });
    expect(await later.fetchPackage('std.text')).toMatchObject({ fromCache: true });
    expect(asked).toEqual([]);
    await diskCache(path).clear();
    await expect(later.fetchPackage('std.text')).rejects.toThrow(RegistryConnectionError);
  });

  it('fetches damaged entries of the disk cache again', async () => {
    const path = await folder();
    const { client, asked } = await setUp(PACKAGES, { cache: diskCache(path) });
    await client.fetchPackage('std.math');
    for (const kind of ['documents', 'tarballs']) {
      for (const file of await readdir(join(path, kind))) {
        await writeFile(
          join(path, kind, file),
          kind === 'documents' ? '{"fetchedAt":1000000,"value":[]}' : 'x',
        );
      }
    }
    asked.splice(0);
    expect((await client.fetchPackage('std.math')).source).toBe('fn two(): int { return 2 }\n');
    expect(asked).toHaveLength(3);
  });

  it('the memory cache evicts the least recently used entry', async () => {
    const cache = memoryCache(2);
    const entry = { fetchedAt: 0, etag: undefined, value: 1 };
    await cache.keepDocument('a', entry);
    await cache.keepDocument('b', entry);
    await cache.document('a');
    await cache.keepDocument('c', entry);
    expect(await cache.document('a')).toEqual(entry);
    expect(await cache.document('b')).toBeUndefined();
  });

  it.each(['../etc', 'a/b', 'A', '', 'a..b', '.a', 'a%2fb', 'x'.repeat(65)])(
    'rejects the invalid package name %j',
    async (name) => {
      const { client, asked } = await setUp();
      expect(() => client.versions(name)).toThrow(TypeError);
      expect(() => client.metadata('std.math', name)).toThrow(TypeError);
      await expect(client.resolve({ 'std.math': `${name}/` })).rejects.toThrow(TypeError);
      expect(asked).toEqual([]);
    },
  );

  it('rejects an invalid url and invalid limits', () => {
    expect(() => new RegistryClient({ url: 'file:///etc' })).toThrow(TypeError);
    expect(() => new RegistryClient({ url: 'here' })).toThrow(TypeError);
    expect(() => new RegistryClient({ url: 'http://localhost', timeoutMs: 0 })).toThrow(RangeError);
    expect(() => new RegistryClient({ url: 'http://localhost', maxAgeMs: Number.NaN })).toThrow(
      RangeError,
    );
  });
});

describe('a registry that fails', () => {
  it('a missing package is a PackageNotFoundError', async () => {
    const { client } = await setUp();
    await expect(client.versions('std.none')).rejects.toThrow(PackageNotFoundError);
    await expect(client.metadata('std.math', '9.9.9')).rejects.toMatchObject({
      status: 404,
      problem: 'version-not-found',
    });
  });

  it('an HTTP error has the status, problem, trace id and retry delay', async () => {
    const server = await webServer((_, response) => {
      response.writeHead(503, { 'retry-after': '7', 'content-type': 'application/problem+json' });
      response.end('{"code":"overloaded","detail":"too much to do","traceId":"abc"}');
    });
    const client = new RegistryClient({ url: server.url });
    const asked = client.versions('a');
    await expect(asked).rejects.toThrow(RegistryHttpError);
    await expect(asked).rejects.toMatchObject({
      status: 503,
      retryAfterMs: 7000,
      problem: 'overloaded',
      traceId: 'abc',
      message: `${server.url}/packages/a/versions responded with 503: too much to do.`,
    });
  });

  it('parses a date in Retry-After and ignores an invalid value', async () => {
    const server = await webServer((request, response) => {
      const value = request.url?.includes('date') ? 'Thu, 01 Jan 1970 00:00:30 GMT' : 'soon';
      response.writeHead(429, { 'retry-after': value }).end('<html>');
    });
    const client = new RegistryClient({ url: server.url, now: () => 10_000 });
    await expect(client.versions('date')).rejects.toMatchObject({ retryAfterMs: 20_000 });
    await expect(client.versions('word')).rejects.toMatchObject({ retryAfterMs: undefined });
  });

  it('a refused connection is a RegistryConnectionError with its cause', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    await new Promise((resolve) => server.close(resolve));
    const asked = new RegistryClient({ url: `http://127.0.0.1:${port}` }).versions('a');
    await expect(asked).rejects.toThrow(RegistryConnectionError);
    await expect(asked).rejects.toThrow(/ECONNREFUSED/);
    await expect(asked).rejects.toMatchObject({ cause: { cause: { code: 'ECONNREFUSED' } } });
  });

  it.each(['before its body', 'in its body'])(
    'a response that hangs %s is a RegistryTimeoutError',
    async (where) => {
      const server = await webServer((_, response) => {
        if (where === 'in its body') response.write('{');
      });
      const client = new RegistryClient({ url: server.url, timeoutMs: 60 });
      const asked = client.versions('a');
      await expect(asked).rejects.toThrow(RegistryTimeoutError);
      await expect(asked).rejects.toMatchObject({ timeoutMs: 60 });
    },
  );

  it.each([404, 503, 'a refused connection'])('keeps no timer after %s', async (answer) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const timers: number[] = [];
      const client = new RegistryClient({
        url: 'http://registry.example',
        fetch: async () => {
          timers.push(vi.getTimerCount());
          if (typeof answer === 'string') throw new TypeError('fetch failed');
          return new Response('{}', { status: answer });
        },
      });
      await expect(client.versions('a')).rejects.toThrow();
      expect([...timers, vi.getTimerCount()]).toEqual([1, 0]);
    } finally {
      vi.useRealTimers();
    }
  });

  it.each(['broken', 'short'])(
    'a truncated response (%s) is a RegistryConnectionError',
    async (how) => {
      const server = await webServer((_, response) => {
        response.writeHead(200, { 'content-length': '100' });
        response.write('{"name":');
        if (how === 'broken') setTimeout(() => response.destroy(), 20);
        else response.socket?.end();
      });
      await expect(new RegistryClient({ url: server.url }).versions('a')).rejects.toThrow(
        RegistryConnectionError,
      );
    },
  );

  it('detects a truncated body that fetch accepts', async () => {
    const client = new RegistryClient({
      url: 'http://127.0.0.1:9',
      fetch: async () => new Response('{}', { headers: { 'content-length': '100' } }),
    });
    await expect(client.versions('a')).rejects.toThrow(/ended after 2 of 100 bytes/);
  });

  it('an abort rejects with the reason of the signal', async () => {
    const reason = new Error('no longer wanted');
    const controller = new AbortController();
    const server = await webServer(() => controller.abort(reason));
    const client = new RegistryClient({ url: server.url });
    const asked = client.versions('a', { signal: controller.signal });
    await expect(asked).rejects.toBe(reason);
    await expect(client.install({ a: '*' }, { signal: controller.signal })).rejects.toBe(reason);
    expect(server.asked).toHaveLength(1);
  });

  it.each([
    ['not JSON', 'hello'],
    ['not an object', '[]'],
    ['another name', '{"name":"../x","versions":[]}'],
    ['an invalid version', '{"name":"a","versions":["1.0"]}'],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['too large', Buffer.alloc(200_000, ' ')],
  ])('rejects an invalid response: %s', async (_, body) => {
    const server = await webServer((_request, response) => response.end(body));
    const client = new RegistryClient({ url: server.url, maxResponseBytes: 100_000 });
    await expect(client.versions('a')).rejects.toThrow(RegistryResponseError);
    expect(await client.lastKnown('a')).toBeUndefined();
  });

  it('does not follow redirects', async () => {
    const elsewhere = await packageServer(PACKAGES);
    const server = await webServer(({ url }, response) =>
      response.writeHead(302, { location: `${elsewhere.url}${url}` }).end(),
    );
    const asked = new RegistryClient({ url: server.url }).versions('std.math');
    await expect(asked).rejects.toThrow(RegistryConnectionError);
    expect(elsewhere.asked).toEqual([]);
  });

  it('sends each request once, through the given fetch', async () => {
    let calls = 0;
    const client = new RegistryClient({
      url: 'http://127.0.0.1:9',
      fetch: async () => {
        calls += 1;
        throw new TypeError('fetch failed');
      },
    });
    await expect(client.versions('a')).rejects.toThrow(RegistryConnectionError);
    expect(calls).toBe(1);
  });
});
