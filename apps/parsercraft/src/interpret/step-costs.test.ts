import { expect, it } from 'vitest';
import { bundledDefinition } from '../lang/bundled.ts';
import { createToolchain } from '../toolchain.ts';
import { StepBudgetError } from './errors.ts';

const STEPS = 200_000;
const toolchain = createToolchain(bundledDefinition('core'));
/** A string of 512 KiB. */
const LONG = 'let s = "aaaaaaaaaaaaaaaa"\nfor i from 1 to 15 { s = s + s }\n';

const PROGRAMS: Readonly<Record<string, string>> = {
  concatenation: `${LONG}while true { let q = s + "b" }`,
  'a comparison': `${LONG}let t = s + "b"\nlet u = s + "b"\nwhile true { let q = t == u }`,
  length: `${LONG}while true { let q = length(s) }`,
  substring: `${LONG}while true { let q = substring(s, 1, 500000) }`,
  'a short substring of a long string': `${LONG}while true { let q = substring(s, 0, 1) }`,
  'the text of a float': 'let f = 1.7e-308\nwhile true { let q = string(f) }',
  'the text of a large float': 'let f = 1.7e308\nwhile true { let q = string(f) }',
  'a power of floats': 'let f = 1.0000001\nwhile true { let q = f ** 9223372036854775807 }',
  'a power of ints': 'let n = 0 - 1\nwhile true { let q = n ** 9223372036854775807 }',
  calls: 'fn f(n: int): int { return n }\nwhile true { let q = f(1) }',
  closures: 'while true { let q = fn(n: int): int { return n } }',
  'int arithmetic': 'let n = 3037000499\nwhile true { let q = n * n % 1000003 }',
};

/** The least processor time of a few runs of a program to the step limit, in milliseconds. */
async function timeOf(source: string): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 4; round += 1) {
    const before = process.cpuUsage();
    await expect(toolchain.run(source, { maxSteps: STEPS })).rejects.toBeInstanceOf(
      StepBudgetError,
    );
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1_000);
  }
  return best;
}

it('the step limit bounds the time of a program, whatever it does', async () => {
  const plain = await timeOf('while true { let q = 1 + 2 }');
  for (const [what, source] of Object.entries(PROGRAMS)) {
    expect((await timeOf(source)) / plain, `${what}: times longer`).toBeLessThan(6);
  }
}, 240_000);
