import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** The environment variable with the token. Overrides the stored token. */
export const TOKEN_VARIABLE = 'TEMPER_REGISTRY_TOKEN';
/** The file in the data folder with the generated token, readable only by its owner. */
const TOKEN_FILE = 'token';
/** Minimum length of a token, in characters. */
const MIN_TOKEN_LENGTH = 16;

const TOKEN = /^[\x21-\x7e]+$/;

interface TokenSource {
  readonly token: string;
  readonly origin: 'environment' | 'stored' | 'generated';
  readonly path: string;
}

/**
 * The token for publishing: from the environment, else the stored one, else a new 256-bit token,
 * which is stored with mode 0600.
 *
 * @throws {RangeError} when the token is too short or has characters that are invalid in a header
 */
export function loadToken(dataDir: string, stated: string | undefined): TokenSource {
  const path = join(dataDir, TOKEN_FILE);
  if (stated !== undefined && stated !== '') {
    return { token: checkToken(stated, TOKEN_VARIABLE), origin: 'environment', path };
  }
  const stored = readStoredToken(dataDir);
  if (stored !== undefined) {
    chmodSync(path, 0o600);
    return { token: checkToken(stored, path), origin: 'stored', path };
  }
  const token = randomBytes(32).toString('base64url');
  writeFileSync(path, `${token}\n`, { mode: 0o600, flag: 'wx' });
  return { token, origin: 'generated', path };
}

/** The stored token, or undefined. */
export function readStoredToken(dataDir: string): string | undefined {
  try {
    return readFileSync(join(dataDir, TOKEN_FILE), 'utf8').trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function checkToken(token: string, origin: string): string {
  if (token.length < MIN_TOKEN_LENGTH || !TOKEN.test(token)) {
    throw new RangeError(
      `${origin} must have at least ${MIN_TOKEN_LENGTH} visible ASCII characters; it has ${token.length} characters.`,
    );
  }
  return token;
}

/** Compares `Authorization` headers with a token in constant time. */
export function tokenVerifier(token: string): (authorization: string | undefined) => boolean {
  // Digests have equal lengths, as timingSafeEqual requires, and hide the length of a guess.
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  const expected = digest(token);
  return (authorization) => {
    const given = /^Bearer +(\S+) *$/i.exec(authorization ?? '')?.[1];
    return timingSafeEqual(digest(given ?? ''), expected) && given !== undefined;
  };
}
