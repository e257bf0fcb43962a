import { describe, expect, it } from 'vitest';
import { FAULT_NAMES } from './faults/fault.ts';

interface Excerpt {
  readonly file: string;
  readonly code: string;
}
const { shownCode } = (await import(new URL('../page/code.mjs', import.meta.url).href)) as {
  shownCode(): Readonly<Record<string, readonly Excerpt[]>>;
};

describe('the code that the page shows', () => {
  const shown = shownCode();

  it('is there for every fault, and for nothing else', () => {
    expect(Object.keys(shown).sort()).toEqual([...FAULT_NAMES].sort());
  });

  it.each(FAULT_NAMES)('of %s is short, and begins at the left margin', (name) => {
    const lines = (shown[name] ?? []).flatMap(({ code }) => code.split('\n'));
    expect(lines.length).toBeGreaterThanOrEqual(6);
    expect(lines.length).toBeLessThanOrEqual(30);
    for (const { code } of shown[name] ?? []) expect(code).toMatch(/^\S/);
  });
});
