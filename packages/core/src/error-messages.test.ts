import { describe, expect, it } from 'vitest';
import { classify } from './classify.ts';
import { isTransient } from './should-handle.ts';

/** As the platforms throw them; compat/environments/runtimes.mjs repeats it with the real ones. */
const THROWN: [string, unknown][] = [
  ['Chromium', new TypeError('Failed to fetch')],
  ['Chromium, newer', new TypeError('Failed to fetch (api.example.com)')],
  ['Chromium, in a body', new TypeError('network error')],
  ['Firefox', new TypeError('NetworkError when attempting to fetch resource.')],
  ['Firefox, in a body', new TypeError('Error in input stream')],
  ['Safari', new TypeError('Load failed')],
  ['Safari, cut off', new TypeError('The network connection was lost.')],
  ['Safari, offline', new TypeError('The Internet connection appears to be offline.')],
  ['Safari, late', new TypeError('The request timed out.')],
  ['React Native', new TypeError('Network request failed')],
  ['workerd', new Error('Network connection lost.')],
  ['workerd, name not found', new Error('internal error; reference = 2lovfkgn2nj5i67tgjp6rcff')],
  [
    'Deno',
    new TypeError('fetch failed', { cause: new Error('Connection reset by peer (os error 104)') }),
  ],
  [
    'Deno, name not found',
    new TypeError('fetch failed', {
      cause: new Error(
        'error sending request for url (http://no-such-host.invalid/): client error (Connect): dns error: failed to lookup address information: Name or service not known',
      ),
    }),
  ],
  ['Deno 1', new TypeError('error sending request for url (http://127.0.0.1:9/): client error')],
  ['Deno, in a body', new TypeError('error reading a body from connection')],
  [
    'Bun',
    Object.assign(new TypeError('ECONNREFUSED: Unable to connect.'), { code: 'ECONNREFUSED' }),
  ],
  [
    'Bun 1.1',
    Object.assign(new Error('Unable to connect. Is the computer able to access the url?'), {
      code: 'ConnectionRefused',
    }),
  ],
  [
    'Node, in a body',
    new TypeError('terminated', {
      cause: Object.assign(new Error('Response body length does not match content-length header'), {
        code: 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
      }),
    }),
  ],
  ['a DOMException', new DOMException('A network error occurred.', 'NetworkError')],
];

describe('a failed fetch', () => {
  it.each(THROWN)('of %s is transient, itself and as a cause', (_platform, error) => {
    expect(classify(error).category).toMatch(/^(?:network|timeout)$/);
    expect(isTransient({ ok: false, error })).toBe(true);
    const wrapped = new Error('no orders', { cause: error });
    expect(isTransient({ ok: false, error: wrapped })).toBe(true);
  });

  it.each([
    ['a URL that cannot be parsed', new TypeError('Failed to parse URL from http://')],
    ['a URL that Deno cannot parse', new TypeError("Invalid URL: 'http://'")],
    ['a blocked port', new TypeError('fetch failed', { cause: new Error('bad port') })],
    ['a mistake', new TypeError("Cannot read properties of undefined (reading 'x')")],
    ['a text that quotes one', new TypeError('Cannot parse "Failed to fetch"')],
    ['a file that is missing', new Error('No such file or directory (os error 2)')],
    ['a hostile message', { name: 'TypeError', message: {} }],
  ])('is not taken for %s', (_what, error) => {
    expect(isTransient({ ok: false, error })).toBe(false);
  });
});
