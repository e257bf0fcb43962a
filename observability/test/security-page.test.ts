import { readFileSync } from 'node:fs';
import { BOUNDARIES } from '@temper/testkit/repository/boundaries';
import { describe, expect, it } from 'vitest';
import { securityMarkdown } from './security-page.ts';

const root = new URL('../../', import.meta.url);
const adversaries = BOUNDARIES.flatMap((boundary) => boundary.adversaries);

describe('the threat model', () => {
  it('is the page docs/security.md', async () => {
    await expect(securityMarkdown()).toMatchFileSnapshot('../../docs/security.md');
  });

  it('has boundaries with adversaries, each with an id of its own', () => {
    for (const boundary of BOUNDARIES) expect(boundary.adversaries.length).toBeGreaterThan(0);
    expect(new Set(adversaries.map(({ id }) => id)).size).toBe(adversaries.length);
  });

  it.each(adversaries.map(({ id, test }) => [id, test]))(
    'has a test that measures %s',
    (id, test) => {
      const text = readFileSync(new URL(test, root), 'utf8');
      expect(text).toContain(`boundOf('${id}')`);
      expect(text).toMatch(/expect\(/);
    },
  );

  it('lists every package that has parsers of its own', () => {
    for (const name of ['core', 'ratelimit', 'recovery', 'audit', 'redis', 'parsercraft']) {
      expect(securityMarkdown()).toContain(`| [${name}](`);
    }
  });

  it('is linked from SECURITY.md', () => {
    expect(readFileSync(new URL('SECURITY.md', root), 'utf8')).toContain('(docs/security.md)');
  });
});
