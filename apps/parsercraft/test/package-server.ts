import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { packTar, type TarEntry } from 'modern-tar';
import semver from 'semver';
import { type WebServer, webServer } from './http-server.ts';

export interface TestPackage {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly source?: string;
  readonly language?: string;
  /** Replaces the valid tarball. */
  readonly tarball?: Uint8Array;
  /** Replaces the valid checksum. */
  readonly integrity?: string;
}

/** A gzip tarball of the given entries, valid or not. */
export async function tarball(entries: readonly TarEntry[]): Promise<Uint8Array> {
  return gzipSync(await packTar([...entries]));
}

export function fileEntry(name: string, body: string): TarEntry {
  return { header: { name, size: Buffer.byteLength(body), type: 'file' }, body };
}

/** An in-memory package server with the endpoints of the registry. */
export async function packageServer(packages: readonly TestPackage[]): Promise<WebServer> {
  const held = await Promise.all(
    packages.map(async (one) => {
      const {
        name,
        version,
        dependencies = {},
        language = 'core',
        source = 'fn one(): int { return 1 }\n',
      } = one;
      const manifest = JSON.stringify({ name, version, language, main: 'main.pc', dependencies });
      const content =
        one.tarball ??
        (await tarball([
          fileEntry('package/package.json', manifest),
          fileEntry('package/main.pc', source),
        ]));
      const digest = createHash('sha512').update(content).digest('base64');
      const metadata = {
        ...JSON.parse(manifest),
        integrity: one.integrity ?? `sha512-${digest}`,
        sizeBytes: content.byteLength,
        yanked: false,
      };
      return { name, version, content, metadata };
    }),
  );
  return webServer((request, response) => {
    const [, , name, version, tail] = (request.url ?? '').split('/');
    const own = held
      .filter((one) => one.name === name)
      .sort((a, b) => semver.compare(a.version, b.version));
    const json = (status: number, body: object): void => {
      const text = JSON.stringify(body);
      const etag = `"${createHash('sha1').update(text).digest('hex')}"`;
      if (request.headers['if-none-match'] === etag) {
        response.writeHead(304, { etag }).end();
        return;
      }
      response.writeHead(status, { 'content-type': 'application/json', etag }).end(text);
    };
    const versions = {
      name,
      latest: own.at(-1)?.version,
      versions: own.map((one) => one.version),
      yankedVersions: [],
    };
    const found = own.find((one) => one.version === version);
    if (own.length === 0) json(404, { code: 'package-not-found', detail: `no ${name}` });
    else if (version === undefined) json(200, { ...own.at(-1)?.metadata, ...versions });
    else if (version === 'versions') json(200, versions);
    else if (found === undefined) json(404, { code: 'version-not-found' });
    else if (tail === 'download') response.end(found.content);
    else json(200, found.metadata);
  });
}
