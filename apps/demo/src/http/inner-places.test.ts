import { describe, expect, it } from 'vitest';
import { withoutInnerPlacesInText } from './inner-places.ts';

describe('a text about a failure', () => {
  it.each([
    ['connect ECONNREFUSED 127.0.0.1:4810', 'connect ECONNREFUSED (inner)'],
    ['connect ECONNREFUSED ::1:4810', 'connect ECONNREFUSED (inner)'],
    ['connect ECONNREFUSED [fe80::1]:4810', 'connect ECONNREFUSED (inner)'],
    ['GET http://127.0.0.1:4810/packages/a failed', 'GET (inner) failed'],
    ['at http://[::1]:4810/packages', 'at (inner)'],
    ['redis://:secret@store:6379 is gone', '(inner) is gone'],
    ["open '/srv/data/audit.db'", "open '(inner)'"],
    ['at file:///srv/app/dist/main.js:10:3', 'at (inner)'],
    ['getaddrinfo ENOTFOUND localhost', 'getaddrinfo ENOTFOUND (inner)'],
  ])('has no place in it: %s', (text, expected) => {
    expect(withoutInnerPlacesInText(text)).toBe(expected);
  });

  it.each([
    'The call fetch_package did not finish within its timeout of 5000 ms.',
    'std.math@1.2.3 needs std.core@^1.0.0',
    'at 3:12: expected int, found string',
    'The last of 3 attempts failed, after 704 ms of retries: bad/good',
    'it opened at 12:30:45',
  ])('is kept otherwise: %s', (text) => {
    expect(withoutInnerPlacesInText(text)).toBe(text);
  });
});
