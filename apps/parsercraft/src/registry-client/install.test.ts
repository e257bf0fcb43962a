import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { fileEntry, type TestPackage, tarball } from '../../test/package-server.ts';
import { folder, PACKAGES, setUp } from '../../test/registry-set-up.ts';
import { IntegrityError, LockFileError, PackageNotFoundError } from './errors.ts';
import { parseLockFile, readLockFile, writeLockFile } from './lock-file.ts';
import { packageSources } from './package-sources.ts';
import { writeFiles } from './unpack.ts';
import { isFailedResponse, ValueRegistryClient } from './value-client.ts';

describe('invalid tarballs', () => {
  const manifest = (name = 'a', version = '1.0.0') =>
    fileEntry('package/package.json', JSON.stringify({ name, version }));
  const main = fileEntry('package/main.pc', 'fn one(): int { return 1 }');
  const install = async (one: Partial<TestPackage>) => {
    const { client } = await setUp([{ name: 'a', version: '1.0.0', ...one }]);
    return client.fetchPackage('a');
  };

  it('rejects a tarball with the wrong checksum', async () => {
    const integrity = `sha512-${'A'.repeat(86)}==`;
    await expect(install({ integrity })).rejects.toThrow(
      /checksum of the tarball does not match the metadata/,
    );
  });

  it.each([
    ['a path climbs out of the package', [manifest(), main, fileEntry('package/../../evil', 'x')]],
    ['a path is absolute', [manifest(), main, fileEntry('/etc/evil', 'x')]],
    ['a file is outside the package folder', [manifest(), main, fileEntry('evil', 'x')]],
    ['a path has a backslash', [manifest(), main, fileEntry('package/a\\..\\b', 'x')]],
    ['a file is hidden', [manifest(), main, fileEntry('package/.npmrc', 'x')]],
    ['a file has a device name', [manifest(), main, fileEntry('package/NUL.txt', 'x')]],
    ['a path has a drive letter', [manifest(), main, fileEntry('package/C:x', 'x')]],
    ['a path appears twice', [manifest(), main, fileEntry('package/MAIN.pc', 'x')]],
    [
      'a file is a symbolic link',
      [
        manifest(),
        main,
        {
          header: { name: 'package/l', size: 0, type: 'symlink' as const, linkname: '/etc/passwd' },
        },
      ],
    ],
    [
      'a file is a hard link',
      [
        manifest(),
        main,
        {
          header: {
            name: 'package/l',
            size: 0,
            type: 'link' as const,
            linkname: 'package/main.pc',
          },
        },
      ],
    ],
    [
      'there are too many files',
      [manifest(), main, ...Array.from({ length: 260 }, (_, i) => fileEntry(`package/f${i}`, ''))],
    ],
    ['the manifest is missing', [main]],
    ['the manifest describes another package', [manifest('b'), main]],
    ['the main file is missing', [manifest()]],
  ])('rejects a tarball in which %s', async (_, entries) => {
    await expect(install({ tarball: await tarball(entries) })).rejects.toThrow(IntegrityError);
  });

  it('rejects data that is not a tarball, and a decompression bomb', async () => {
    await expect(install({ tarball: Buffer.from('hello') })).rejects.toThrow(IntegrityError);
    const bomb = await tarball([
      manifest(),
      main,
      fileEntry('package/big', '0'.repeat(9 * 1024 * 1024)),
    ]);
    expect(bomb.byteLength).toBeLessThan(100_000);
    await expect(install({ tarball: bomb })).rejects.toThrow(/too large when unpacked/);
  });

  it('rejects a package in an unknown language', async () => {
    const { client } = await setUp([{ name: 'a', version: '1.0.0', language: 'klingon' }]);
    const { packages } = await client.install({ a: '*' });
    expect(() => packageSources(packages)).toThrow(/its language 'klingon' is unknown/);
  });

  it('writeFiles stays inside its folder and overwrites nothing', async () => {
    const path = await folder();
    const { client } = await setUp();
    const { files } = await client.fetchPackage('std.math');
    await writeFiles(files, path);
    expect(await readFile(join(path, 'main.pc'), 'utf8')).toContain('fn two');
    await expect(writeFiles(files, path)).rejects.toThrow(/EEXIST/);
    await expect(writeFiles(new Map([['../evil', new Uint8Array()]]), path)).rejects.toThrow(
      TypeError,
    );
  });
});

describe('lock files', () => {
  it('a lock file pins versions although higher ones exist', async () => {
    const path = join(await folder(), 'parsercraft.lock');
    expect(await readLockFile(path)).toBeUndefined();
    const first = await setUp(PACKAGES.slice(0, 1));
    await writeLockFile(path, (await first.client.install({ 'std.math': '^1.0.0' })).lock);
    const { client } = await setUp();
    const lock = await readLockFile(path);
    const again = await client.install({ 'std.math': '^1.0.0' }, { lock });
    expect(again.packages.get('std.math')?.metadata.version).toBe('1.0.0');
    expect(again.lock).toEqual(lock);
    const newer = await client.install({ 'std.math': '^1.1.0' }, { lock });
    expect(newer.packages.get('std.math')?.metadata.version).toBe('1.1.0');
  });

  it('a lock file detects a republished version', async () => {
    const first = await setUp();
    const { lock } = await first.client.install({ 'std.math': '1.0.0' });
    const { client } = await setUp([
      { name: 'std.math', version: '1.0.0', source: 'fn evil() {}' },
    ]);
    await expect(client.install({ 'std.math': '1.0.0' }, { lock })).rejects.toThrow(
      /checksum from the registry does not match the lock file/,
    );
  });

  it.each([
    'x',
    '[]',
    '{"lockfileVersion":2}',
    '{"lockfileVersion":1,"requirements":{},"packages":[]}',
    '{"lockfileVersion":1,"requirements":{"../a":"*"},"packages":{}}',
    '{"lockfileVersion":1,"requirements":{},"packages":{"a":{"version":"1","integrity":"sha512-","dependencies":{}}}}',
    '{"lockfileVersion":1,"requirements":{},"packages":{"a":{"version":"1.0.0","integrity":"md5-","dependencies":{}}}}',
  ])('rejects the invalid lock file %s', (text) => {
    expect(() => parseLockFile(text)).toThrow(LockFileError);
  });
});

describe('the client that returns its errors as values', () => {
  it('ValueRegistryClient returns a registry failure as a value', async () => {
    const { client } = await setUp();
    const values = new ValueRegistryClient(client);
    const found = await values.fetchPackageMetadata('std.math');
    expect(found).toMatchObject({ success: true, data: { version: '1.1.0' }, cacheHit: false });
    expect((await values.fetchPackageMetadata('std.math')).cacheHit).toBe(true);
    expect(isFailedResponse(found)).toBe(false);
    const missing = await values.fetchPackage('std.none');
    expect(missing).toMatchObject({ success: false, data: undefined });
    expect(isFailedResponse(missing)).toBe(true);
    expect(missing.error).toBeInstanceOf(PackageNotFoundError);
    expect(isFailedResponse(await values.fetchPackageVersions('std.none'))).toBe(true);
  });

  it('ValueRegistryClient throws errors that are not responses of the registry', async () => {
    const { client } = await setUp();
    const values = new ValueRegistryClient(client);
    await expect(values.fetchPackage('../x')).rejects.toThrow(TypeError);
    const signal = AbortSignal.abort(new Error('gone'));
    await expect(values.fetchPackage('std.math', '*', { signal })).rejects.toThrow('gone');
  });
});
