import { createHash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RegistryProcess } from '../src/launcher.ts';
import type { PackageMetadata, PackageVersions, VersionMetadata } from '../src/metadata.ts';
import { unpackTarball } from '../src/tarball.ts';
import { ask, json, registryForFile } from './fixture.ts';

let registry: RegistryProcess;
let end: () => Promise<void>;
beforeAll(async () => {
  ({ registry, end } = await registryForFile());
});
afterAll(() => end());

const get = (path: string, headers: Record<string, string> = {}) =>
  ask(registry.url, path, { headers });

describe('GET /packages/:name', () => {
  it('returns the latest stable version and the list of versions', async () => {
    const answer = await get('/packages/std.math');
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/json; charset=utf-8');
    expect(json<PackageMetadata>(answer)).toMatchObject({
      name: 'std.math',
      version: '1.2.0',
      latest: '1.2.0',
      language: 'core',
      main: 'main.pc',
      dependencies: { 'std.core': '^1.0.0' },
      versions: ['0.9.0', '1.0.0', '1.1.1', '1.2.0', '2.0.0-rc.1'],
      yankedVersions: ['1.1.0'],
      yanked: false,
      download: '/packages/std.math/1.2.0/download',
    });
  });

  it('responds 404 with a problem and a trace id for an unknown package', async () => {
    const answer = await get('/packages/no-such');
    expect(answer.status).toBe(404);
    expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    expect(json(answer)).toEqual({
      type: 'urn:parsercraft-registry:problem:package-not-found',
      code: 'package-not-found',
      title: 'Package not found',
      status: 404,
      detail: 'Package no-such does not exist.',
      traceId: expect.stringMatching(/^[0-9a-f]{32}$/),
    });
  });

  it('a problem has the trace id of the caller', async () => {
    const traceId = '0af7651916cd43dd8448eb211c80319c';
    const answer = await get('/packages/no-such', {
      traceparent: `00-${traceId}-b7ad6b7169203331-01`,
    });
    expect(json(answer).traceId).toBe(traceId);
  });
});

describe('GET /packages/:name/versions', () => {
  it('returns versions in order of precedence, with yanked versions separate', async () => {
    expect(json<PackageVersions>(await get('/packages/std.core/versions'))).toEqual({
      name: 'std.core',
      latest: '1.0.0',
      versions: ['0.1.0', '0.2.0', '0.2.1', '0.9.0', '1.0.0-beta.1', '1.0.0'],
      yankedVersions: [],
    });
    expect((await get('/packages/no-such/versions')).status).toBe(404);
  });
});

describe('GET /packages/:name/resolve', () => {
  const resolve = (name: string, range?: string) =>
    get(
      `/packages/${name}/resolve${range === undefined ? '' : `?range=${encodeURIComponent(range)}`}`,
    );

  it.each([
    ['std.core', '^0.2.0', '0.2.1'],
    ['std.core', '~0.1.0', '0.1.0'],
    ['std.core', '0.9.0', '0.9.0'],
    ['std.core', '*', '1.0.0'],
    ['std.core', '', '1.0.0'],
    ['std.core', undefined, '1.0.0'],
    ['std.core', '^1.0.0-beta.0', '1.0.0'],
    ['std.core', '1.0.0-beta.1', '1.0.0-beta.1'],
    ['std.core', '>=0.2.0 <1.0.0', '0.9.0'],
    ['std.math', '^1.1.0', '1.2.0'],
    ['std.math', '~1.1.0', '1.1.1'],
    ['std.math', '>=2.0.0-rc.0', '2.0.0-rc.1'],
    ['std.text', '1.x || 2.x', '1.1.0'],
  ])('resolves %s@%s to %s', async (name, range, version) => {
    const answer = await resolve(name, range);
    expect(answer.status).toBe(200);
    expect(json<VersionMetadata>(answer)).toMatchObject({ name, version });
  });

  it.each([
    ['std.core', '^2.0.0'],
    ['std.core', '>1.0.0'],
    ['std.math', '1.1.0'],
    ['std.math', '^2.0.0'],
    ['std.math', '>=2.0.0'],
  ])(
    'responds 404 for %s@%s, which only a yanked version or a prerelease satisfies',
    async (name, range) => {
      const answer = await resolve(name, range);
      expect(answer.status).toBe(404);
      expect(json(answer).code).toBe('no-matching-version');
    },
  );

  it.each(['not a range', '^^1', '1.2.3.4', '>'.repeat(300)])(
    'responds 400 for the range %j',
    async (range) => {
      const answer = await resolve('std.core', range);
      expect(answer.status).toBe(400);
      expect(json(answer).code).toBe('invalid-range');
    },
  );

  it('responds 400 when the range is given twice', async () => {
    const answer = await get('/packages/std.core/resolve?range=1.0.0&range=0.1.0');
    expect(answer.status).toBe(400);
  });
});

describe('GET /packages/:name/:version', () => {
  it('returns the metadata of a yanked version with the reason', async () => {
    const answer = await get('/packages/std.math/1.1.0');
    expect(answer.status).toBe(200);
    expect(json<VersionMetadata>(answer)).toMatchObject({
      yanked: true,
      yankedReason: expect.stringContaining('Use 1.1.1'),
    });
  });

  it.each(['latest', '1', '1.0', 'v1.0.0', '01.0.0', '1.0.0+build', '*', '^1.0.0'])(
    'responds 400 for the version %s',
    async (version) => {
      const answer = await get(`/packages/std.math/${encodeURIComponent(version)}`);
      expect(answer.status).toBe(400);
      expect(json(answer).code).toBe('invalid-version');
    },
  );

  it('distinguishes a missing version from a missing package', async () => {
    expect(json(await get('/packages/std.math/9.9.9')).code).toBe('version-not-found');
    expect(json(await get('/packages/no-such/9.9.9')).code).toBe('package-not-found');
  });
});

describe('GET /packages/:name/:version/download', () => {
  it('downloads a gzip tarball that matches the metadata', async () => {
    const metadata = json<VersionMetadata>(await get('/packages/std.text/1.1.0'));
    const answer = await get(metadata.download);
    expect(answer.status).toBe(200);
    expect(answer.headers['content-type']).toBe('application/gzip');
    expect(answer.headers['content-length']).toBe(String(metadata.sizeBytes));
    expect(answer.headers['content-disposition']).toBe('attachment; filename="std.text-1.1.0.tgz"');
    expect(answer.body.length).toBe(metadata.sizeBytes);
    const digest = (algorithm: string, encoding: 'hex' | 'base64') =>
      createHash(algorithm).update(answer.body).digest(encoding);
    expect(digest('sha256', 'hex')).toBe(metadata.sha256);
    expect(`sha512-${digest('sha512', 'base64')}`).toBe(metadata.integrity);
    expect(answer.headers['repr-digest']).toBe(
      `sha-256=:${digest('sha256', 'base64')}:, sha-512=:${digest('sha512', 'base64')}:`,
    );
    const unpacked = await unpackTarball(answer.body);
    if (!unpacked.ok) throw new Error('not a package');
    expect([...unpacked.files.keys()]).toEqual(['main.pc', 'package.json']);
    const source = Buffer.from(unpacked.files.get('main.pc')!).toString('utf8');
    expect(source).toContain('fn padRight(text: string, width: int): string {');
  });

  it('responds 410 for a yanked version, also to a conditional request', async () => {
    for (const headers of [{}, { 'if-none-match': '*' }]) {
      const answer = await get('/packages/std.math/1.1.0/download', headers);
      expect(answer.status).toBe(410);
      expect(json(answer)).toMatchObject({
        code: 'yanked',
        reason: expect.stringContaining('Use 1.1.1'),
      });
    }
  });
});

describe('GET /packages', () => {
  it('pages through the package names', async () => {
    const names: string[] = [];
    let after = '';
    for (let page = 0; page < 10; page += 1) {
      const answer = json<{ packages: string[]; next: string | null }>(
        await get(`/packages?limit=3&after=${after}`),
      );
      expect(answer.packages.length).toBeLessThanOrEqual(3);
      names.push(...answer.packages);
      if (answer.next === null) break;
      after = answer.next;
    }
    expect(names).toEqual([
      'std.core',
      'std.format',
      'std.math',
      'std.report',
      'std.sequence',
      'std.stats',
      'std.text',
    ]);
  });

  it.each(['0', '101', '-1', 'x', ''])('responds 400 for limit=%s', async (limit) => {
    expect((await get(`/packages?limit=${limit}`)).status).toBe(400);
  });
});

describe('every route', () => {
  const addresses = [
    '/health',
    '/packages',
    '/packages/std.math',
    '/packages/std.math/versions',
    '/packages/std.math/resolve',
    '/packages/std.math/1.0.0',
    '/packages/std.math/1.0.0/download',
  ];

  it.each(addresses)('responds to HEAD %s as to GET, without the body', async (path) => {
    const full = await get(path);
    const head = await ask(registry.url, path, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(head.body.length).toBe(0);
    for (const name of ['content-type', 'content-length', 'etag', 'cache-control']) {
      expect(head.headers[name], name).toBe(full.headers[name]);
    }
  });

  it.each(addresses)('responds 304 for %s when the entity tag matches', async (path) => {
    const { headers } = await get(path);
    const etag = headers.etag!;
    expect(etag).toMatch(/^"[^"]+"$/);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const answer = await get(path, { 'if-none-match': known });
      expect(answer.status, known).toBe(304);
      expect(answer.body.length).toBe(0);
      expect(answer.headers.etag).toBe(etag);
    }
    expect((await get(path, { 'if-none-match': '"other"' })).status).toBe(200);
  });

  it.each(addresses)('responds 405 with Allow for an unsupported method of %s', async (path) => {
    for (const method of ['POST', 'PATCH', 'DELETE', 'OPTIONS']) {
      const answer = await ask(registry.url, path, { method });
      expect(answer.status, method).toBe(405);
      expect(answer.headers.allow).toBe('GET, HEAD');
    }
  });

  it('responds 404 with a problem for an unknown path', async () => {
    for (const path of [
      '/',
      '/faults',
      '/packages/',
      '/packages/std.math/1.0.0/x',
      '/favicon.ico',
    ]) {
      const answer = await get(path);
      expect([400, 404], path).toContain(answer.status);
      expect(answer.headers['content-type']).toBe('application/problem+json; charset=utf-8');
    }
  });
});

describe('the standard library', () => {
  it('the standard library is a tree of at least three levels that resolves without yanked versions', async () => {
    const depth = async (name: string, range: string): Promise<number> => {
      const answer = await get(`/packages/${name}/resolve?range=${encodeURIComponent(range)}`);
      expect(answer.status, `${name}@${range}`).toBe(200);
      const metadata = json<VersionMetadata>(answer);
      expect(metadata.yanked).toBe(false);
      const below = await Promise.all(
        Object.entries(metadata.dependencies).map(([child, wanted]) => depth(child, wanted)),
      );
      return 1 + Math.max(0, ...below);
    };
    expect(await depth('std.report', '^1.0.0')).toBe(5);
  });
});
