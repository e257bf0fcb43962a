import { expect, it } from 'vitest';
import { chooseMediaType } from './media-type.ts';

it.each([
  [undefined, 'text/plain'],
  ['', 'text/plain'],
  ['*/*', 'text/plain'],
  ['text/html,application/xhtml+xml,*/*;q=0.8', 'text/plain'],
  ['application/health+json', 'application/health+json'],
  ['application/json', 'application/json'],
  ['Application/Health+JSON ; q=0.5, */*', 'application/health+json'],
  ['application/json, application/health+json', 'application/health+json'],
  ['application/json, application/health+json;q=0.2', 'application/json'],
  ['text/plain, application/json;q=0.9', 'text/plain'],
  ['application/health+json;q=0', 'text/plain'],
  ['application/health+json;q=seven', 'text/plain'],
  [';;,,;q=', 'text/plain'],
])('responds to Accept: %s with %s', (accept, expected) => {
  expect(chooseMediaType(accept)).toBe(expected);
});
