import { expect, it } from 'vitest';
import { isSupported } from './engines.mjs';

it.each([
  ['>=20.19', '20.19.0', true],
  ['>=20.19', '20.18.3', false],
  ['>=20.19', '22.1.0', true],
  ['>=20.19', '18.20.8', false],
  ['>=22.15', '22.15.1', true],
  ['>=24', '24.0.0', true],
])('%s includes %s: %s', (range, version, expected) => {
  expect(isSupported(range, version)).toBe(expected);
});

it('refuses a range that it cannot read', () => {
  expect(() => isSupported('^20.19 || >=22', '22.0.0')).toThrow('must look like >=20.19');
});
