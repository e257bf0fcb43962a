import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import type { FastifyInstance } from 'fastify';

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.webmanifest': 'application/manifest+json; charset=utf-8',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
};

/** Smaller files are not compressed, in bytes. */
const MIN_COMPRESSED_BYTES = 512;

interface PageFile {
  readonly type: string;
  readonly etag: string;
  readonly plain: Buffer;
  readonly gzip: Buffer | undefined;
  readonly brotli: Buffer | undefined;
}

/** Served when the page has not been built. */
const NO_PAGE = Buffer.from(
  '<!doctype html><html lang="en"><title>ParserCraft</title><p>The service is running. Its API is described at <a href="/v1/openapi.json">/v1/openapi.json</a>.',
);

/**
 * Serves the files of a folder from memory, read and compressed once. Request paths never reach the
 * file system.
 */
export function addPageFiles(app: FastifyInstance, folder: string): void {
  const files = existsSync(folder) ? readFolder(folder) : new Map<string, PageFile>();
  const index = files.get('/index.html') ?? pageFile('index.html', NO_PAGE);
  for (const [path, file] of [['/', index] as const, ...files]) {
    app.get(path, { schema: { hide: true } }, (request, reply) => {
      reply.header('etag', file.etag).header('cache-control', 'no-cache');
      reply.header('vary', 'accept-encoding');
      if (request.headers['if-none-match'] === file.etag) return reply.code(304).send();
      const accepted = String(request.headers['accept-encoding'] ?? '');
      reply.header('content-type', file.type);
      if (file.brotli !== undefined && /\bbr\b/.test(accepted)) {
        return reply.header('content-encoding', 'br').send(file.brotli);
      }
      if (file.gzip !== undefined && /\bgzip\b/.test(accepted)) {
        return reply.header('content-encoding', 'gzip').send(file.gzip);
      }
      return reply.send(file.plain);
    });
  }
}

function readFolder(folder: string): ReadonlyMap<string, PageFile> {
  const files = new Map<string, PageFile>();
  for (const name of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    const path = join(folder, name);
    if (!statSync(path).isFile() || TYPES[extname(name)] === undefined) continue;
    const address = `/${relative(folder, path).split(sep).join('/')}`;
    files.set(address, pageFile(name, readFileSync(path)));
  }
  return files;
}

function pageFile(name: string, plain: Buffer): PageFile {
  const type = TYPES[extname(name)] ?? 'application/octet-stream';
  const compressible =
    /text|javascript|json|svg/.test(type) && plain.length >= MIN_COMPRESSED_BYTES;
  const quality = { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } };
  return {
    type,
    etag: `"${createHash('sha256').update(plain).digest('base64url').slice(0, 22)}"`,
    plain,
    gzip: compressible ? gzipSync(plain, { level: 9 }) : undefined,
    brotli: compressible ? brotliCompressSync(plain, quality) : undefined,
  };
}
