import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { packTar } from 'modern-tar';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RegistryProcess } from '../src/launcher.ts';
import type { Flaw } from '../src/manifest.ts';
import type { PackageVersions, VersionMetadata } from '../src/metadata.ts';
import { digestOf, MAX_TARBALL_BYTES, MAX_UNPACKED_BYTES, packTarball } from '../src/tarball.ts';
import { ask, bearer, json, packageFiles, publish, registryForFile } from './fixture.ts';

let registry: RegistryProcess;
let end: () => Promise<void>;
beforeAll(async () => {
  ({ registry, end } = await registryForFile({ seed: false }));
});
afterAll(() => end());

const get = (path: string) => ask(registry.url, path);
const post = (
  body: string | Uint8Array,
  contentType: string,
  headers: Record<string, string> = bearer(registry.token),
) =>
  ask(registry.url, '/packages/publish', {
    method: 'POST',
    headers: { 'content-type': contentType, ...headers },
    body,
  });

describe('POST /packages/publish', () => {
  it('a published tarball is downloaded unchanged, with the expected checksums', async () => {
    const tarball = await packTarball(
      packageFiles({
        name: 'round.trip',
        version: '1.2.3',
        dependencies: { 'std.core': '^1.0.0' },
      }),
    );
    const sent = digestOf(tarball);
    const answer = await post(tarball, 'application/gzip');
    expect(answer.status).toBe(201);
    expect(answer.headers.location).toBe('/packages/round.trip/1.2.3');
    const metadata = json<VersionMetadata>(answer);
    expect(metadata).toMatchObject({
      ...sent,
      dependencies: { 'std.core': '^1.0.0' },
      fileCount: 2,
    });
    expect(json(await get('/packages/round.trip/1.2.3'))).toEqual(metadata);
    const download = await get(metadata.download);
    expect(download.body.equals(tarball)).toBe(true);
    expect(createHash('sha256').update(download.body).digest('hex')).toBe(sent.sha256);
  });

  it('packs a JSON package reproducibly', async () => {
    const manifest = { name: 'from.json', version: '0.1.0', description: 'é ünï' };
    const files = { 'main.pc': 'fn f(): int { return 1 }\n' };
    const answer = await post(JSON.stringify({ manifest, files }), 'application/json');
    expect(answer.status).toBe(201);
    const expected = await packTarball({
      ...files,
      'package.json': `${JSON.stringify(manifest, null, 2)}\n`,
    });
    expect(json<VersionMetadata>(answer).sha256).toBe(digestOf(expected).sha256);
  });

  it('accepts one of many concurrent publishes of a version and rejects the others', async () => {
    const attempts = await Promise.all(
      Array.from({ length: 40 }, (_, i) =>
        publish(registry, { name: 'contended', version: '1.0.0', description: `attempt ${i}` }),
      ),
    );
    const created = attempts.filter((answer) => answer.status === 201);
    const refused = attempts.filter((answer) => answer.status === 409);
    expect(created).toHaveLength(1);
    expect(refused).toHaveLength(39);
    const winner = json<VersionMetadata>(created[0]!);
    for (const answer of refused) {
      expect(json(answer)).toMatchObject({
        code: 'version-exists',
        existing: { integrity: winner.integrity, sha256: winner.sha256 },
        identical: false,
      });
    }
    const download = await get(winner.download);
    expect(digestOf(download.body).integrity).toBe(winner.integrity);
  });

  it('a repeated publish of the same content is reported as identical', async () => {
    const manifest = { name: 'repeated', version: '1.0.0' };
    expect((await publish(registry, manifest)).status).toBe(201);
    const again = await publish(registry, manifest);
    expect(again.status).toBe(409);
    expect(json(again).identical).toBe(true);
  });

  it('orders versions by precedence, not by time of publishing', async () => {
    for (const version of ['1.10.0', '1.2.0', '2.0.0-alpha.1', '1.9.0', '2.0.0-alpha.beta']) {
      expect((await publish(registry, { name: 'ordered', version })).status).toBe(201);
    }
    expect(json<PackageVersions>(await get('/packages/ordered/versions'))).toMatchObject({
      latest: '1.10.0',
      versions: ['1.2.0', '1.9.0', '1.10.0', '2.0.0-alpha.1', '2.0.0-alpha.beta'],
    });
  });

  it('the latest version is the highest prerelease when there is no stable version', async () => {
    for (const version of ['0.1.0-a.1', '0.1.0-a.2']) {
      await publish(registry, { name: 'early', version });
    }
    expect(json(await get('/packages/early')).version).toBe('0.1.0-a.2');
  });
});

describe('the token', () => {
  it.each([
    ['none', {}],
    ['a wrong one', { authorization: 'Bearer wrong-wrong-wrong-wrong' }],
    ['an empty one', { authorization: 'Bearer ' }],
    ['another scheme', { authorization: 'Basic dG9rZW4=' }],
  ])('publishing with %s is rejected with 401', async (_what, headers) => {
    const tarball = await packTarball(packageFiles({ name: 'unauthorized' }));
    const answer = await post(tarball, 'application/gzip', headers);
    expect(answer.status).toBe(401);
    expect(answer.headers['www-authenticate']).toMatch(/^Bearer realm="parsercraft-registry"/);
    expect(json(answer).code).toBe('unauthorized');
    expect(answer.body.toString()).not.toContain(registry.token);
    expect((await get('/packages/unauthorized')).status).toBe(404);
  });

  it('a token with one character changed, added or removed is rejected', async () => {
    const { token } = registry;
    for (const guess of [
      `${token}x`,
      token.slice(1),
      `${token.startsWith('x') ? 'y' : 'x'}${token.slice(1)}`,
      token.toUpperCase(),
    ]) {
      expect((await post('{}', 'application/json', bearer(guess))).status).toBe(401);
    }
    expect((await post('{}', 'application/json', bearer(token))).status).toBe(422);
  });
});

describe('an invalid package', () => {
  const errorsOf = async (body: Uint8Array): Promise<string> => {
    const answer = await post(body, 'application/gzip');
    expect(answer.status).toBe(422);
    const { code, errors } = json<{ code: string; errors: Flaw[] }>(answer);
    expect(code).toBe('invalid-package');
    return errors.map((flaw) => `${flaw.field} ${flaw.message}`).join('\n');
  };
  const tarOf = async (
    entries: {
      name: string;
      type?: 'file' | 'symlink' | 'link' | 'directory';
      linkname?: string;
      body?: string;
    }[],
  ) => {
    const manifest = JSON.stringify({ name: 'sly', version: '1.0.0' });
    const all = [
      { name: 'package/package.json', body: manifest },
      { name: 'package/main.pc', body: 'fn f(): int { return 1 }' },
      ...entries,
    ];
    const archive = await packTar(
      all.map(({ name, type = 'file', linkname, body = '' }: (typeof entries)[number]) => ({
        header: { name, type, size: body.length, ...(linkname === undefined ? {} : { linkname }) },
        body,
      })),
    );
    return promisify(gzip)(archive);
  };

  it.each([
    '../escape.pc',
    'package/../../escape.pc',
    'package/a/../../b.pc',
    '/etc/passwd',
    'package//etc/passwd',
    'package/.hidden',
    'package/a\\..\\b.pc',
    'package/c:evil.pc',
    'package/nul.pc',
    'package/trailing.',
    'package/new\nline.pc',
    'elsewhere/main.pc',
  ])('rejects a package with a file named %j', async (name) => {
    expect(await errorsOf(await tarOf([{ name }]))).toMatch(/^tarball contains /);
    expect((await get('/packages/sly')).status).toBe(404);
  });

  it('rejects a package with a link', async () => {
    for (const type of ['symlink', 'link'] as const) {
      const body = await tarOf([{ name: 'package/link.pc', type, linkname: '/etc/passwd' }]);
      expect(await errorsOf(body)).toContain('only files are allowed');
    }
  });

  it('rejects a package with duplicate paths that differ in case', async () => {
    expect(await errorsOf(await tarOf([{ name: 'package/MAIN.pc' }]))).toContain('twice');
  });

  it('rejects a package with too many files', async () => {
    const many = Array.from({ length: 300 }, (_, i) => ({ name: `package/f${i}.pc` }));
    expect(await errorsOf(await tarOf(many))).toContain('must not contain more than 256 files');
  });

  it('rejects a decompression bomb', async () => {
    const bomb = await promisify(gzip)(Buffer.alloc(8 * MAX_UNPACKED_BYTES));
    expect(bomb.length).toBeLessThan(MAX_TARBALL_BYTES);
    expect(await errorsOf(bomb)).toContain('must not unpack to more than');
  });

  it('rejects data that is not gzip, not tar, or truncated', async () => {
    const good = await packTarball(packageFiles({ name: 'halved' }));
    expect(await errorsOf(Buffer.from('garbage'))).toContain('must be a gzip stream');
    expect(await errorsOf(Buffer.alloc(0))).toContain('must be');
    expect(await errorsOf(good.subarray(0, good.length >> 1))).toContain('must be a gzip stream');
    const noise = await promisify(gzip)(Buffer.alloc(2048, 'x'));
    expect(await errorsOf(noise)).toContain('must be a tar archive');
  });

  it('reports every error of a manifest', async () => {
    const body = await packTarball(
      packageFiles({
        name: '../../etc/passwd',
        version: '1.0.0+build',
        main: '../main.pc',
        description: 7,
        language: 'Core!',
        dependencies: { '..': '^1.0.0', 'std.core': 'not a range', fine: '*' },
      }),
    );
    const errors = await errorsOf(body);
    for (const field of ['name', 'version', 'main', 'description', 'language', 'dependencies...']) {
      expect(errors).toContain(`${field} `);
    }
    expect(errors).toContain('dependencies.std.core must be a version range');
    expect(errors).not.toContain('fine');
  });

  it('rejects a package that depends on itself or lacks its main file', async () => {
    const own = packageFiles({ name: 'selfish', dependencies: { selfish: '*' } });
    expect(await errorsOf(await packTarball(own))).toContain('must not be the package itself');
    const lost = packageFiles({ name: 'lost', main: 'other.pc' });
    expect(await errorsOf(await packTarball(lost))).toContain('main must be a file of the package');
  });

  it('rejects a package without a manifest or with invalid JSON', async () => {
    expect(await errorsOf(await packTarball({ 'main.pc': '' }))).toContain('package.json');
    const broken = await packTarball({ 'package.json': '{', 'main.pc': '' });
    expect(await errorsOf(broken)).toContain('must be a JSON file');
  });

  it.each([
    ['{"manifest": 1, "files": []}', 'manifest must be an object'],
    ['{"manifest": {}, "files": {"main.pc": 1}}', 'files.main.pc must be a string'],
    ['{"manifest": {}, "files": {"package.json": ""}}', 'must not be included'],
    ['{"manifest": {"name": "x", "version": "1.0.0"}, "files": {"../x": ""}}', 'contains the path'],
    ['null', 'manifest must be an object'],
    ['[]', 'manifest must be an object'],
  ])('rejects the JSON package %s', async (body, why) => {
    const answer = await post(body, 'application/json');
    expect(answer.status).toBe(422);
    expect(json(answer).errors).toContainEqual(expect.objectContaining({}));
    expect(answer.body.toString()).toContain(why);
  });
});

describe('a body', () => {
  it('a too large body is rejected before it is read completely', async () => {
    const huge = Buffer.alloc(64 * 1024 * 1024);
    for (const type of ['application/gzip', 'application/json']) {
      const answer = await post(huge, type).catch((error: NodeJS.ErrnoException) => error);
      // A client that is still sending may see a closed connection before it reads the response.
      if (answer instanceof Error) expect(['EPIPE', 'ECONNRESET']).toContain(answer.code);
      else expect(answer.status).toBe(413);
    }
    expect((await get('/health')).status).toBe(200);
  });

  it('a body with an unsupported type gets 415', async () => {
    for (const type of ['text/plain', 'application/xml', 'garbage', '']) {
      const answer = await post('x', type);
      expect(answer.status, type).toBe(415);
      expect(json(answer).code).toBe('unsupported-media-type');
    }
  });

  it.each(['{', '', '{"__proto__": {}}'])('the invalid JSON body %j gets 400', async (body) => {
    expect((await post(body, 'application/json')).status).toBe(400);
  });

  it('a body is verified against its Content-Digest', async () => {
    const tarball = await packTarball(packageFiles({ name: 'digested' }));
    const digest = (body: Uint8Array, algorithm: string) =>
      createHash(algorithm).update(body).digest('base64');
    const send = (contentDigest: string) =>
      post(tarball, 'application/gzip', {
        ...bearer(registry.token),
        'content-digest': contentDigest,
      });
    for (const wrong of [
      `sha-256=:${digest(Buffer.from('other'), 'sha256')}:`,
      `sha-256=:${digest(tarball, 'sha256')}:, sha-512=:AAAA:`,
    ]) {
      const answer = await send(wrong);
      expect(answer.status).toBe(400);
      expect(json(answer).code).toBe('digest-mismatch');
    }
    const right = `unknown=:AAAA:, sha-256=:${digest(tarball, 'sha256')}:, sha-512=:${digest(tarball, 'sha512')}:`;
    expect((await send(right)).status).toBe(201);
  });
});

describe('PUT and DELETE /packages/:name/:version/yank', () => {
  const yank = (path: string, method: string, body?: unknown, token = registry.token) =>
    ask(registry.url, `${path}/yank`, {
      method,
      headers: {
        ...bearer(token),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

  it('yanking removes a version from resolution and download, and can be undone', async () => {
    for (const version of ['1.0.0', '1.1.0']) await publish(registry, { name: 'pulled', version });
    const resolved = async () => json(await get('/packages/pulled/resolve?range=^1.0.0')).version;
    const before = await get('/packages/pulled/1.1.0/download');
    expect(await resolved()).toBe('1.1.0');

    const answer = await yank('/packages/pulled/1.1.0', 'PUT', { reason: 'It does not add up.' });
    expect(answer.status).toBe(200);
    expect(json(answer)).toMatchObject({ yanked: true, yankedReason: 'It does not add up.' });
    expect(await resolved()).toBe('1.0.0');
    expect((await get('/packages/pulled/1.1.0/download')).status).toBe(410);
    expect(json(await get('/packages/pulled')).version).toBe('1.0.0');

    expect((await yank('/packages/pulled/1.1.0', 'DELETE')).status).toBe(200);
    expect(await resolved()).toBe('1.1.0');
    const after = await get('/packages/pulled/1.1.0/download');
    expect(after.body.equals(before.body)).toBe(true);
  });

  it('publishing a yanked version again does not restore it', async () => {
    await publish(registry, { name: 'once', version: '1.0.0' });
    await yank('/packages/once/1.0.0', 'PUT');
    expect((await publish(registry, { name: 'once', version: '1.0.0' })).status).toBe(409);
  });

  it('a package whose versions are all yanked is reported as yanked', async () => {
    await publish(registry, { name: 'gone', version: '1.0.0' });
    await yank('/packages/gone/1.0.0', 'PUT');
    expect((await get('/packages/gone')).status).toBe(410);
    expect(json<PackageVersions>(await get('/packages/gone/versions'))).toEqual({
      name: 'gone',
      latest: null,
      versions: [],
      yankedVersions: ['1.0.0'],
    });
  });

  it('yanking requires the token, an existing version and a reason that is a string', async () => {
    await publish(registry, { name: 'kept', version: '1.0.0' });
    const path = '/packages/kept/1.0.0';
    expect((await yank(path, 'PUT', undefined, 'wrong-wrong-wrong-wrong')).status).toBe(401);
    expect((await yank('/packages/kept/2.0.0', 'PUT')).status).toBe(404);
    expect((await yank(path, 'PUT', { reason: 7 })).status).toBe(400);
    expect((await yank(path, 'PUT', { reason: 'x'.repeat(501) })).status).toBe(400);
    expect(json(await get(path)).yanked).toBe(false);
  });
});
