import { spawn } from 'node:child_process';
import { describe, expect, it } from 'vitest';

/** Ways to fill the heap, as the body of a loop over `i`. */
const LEAKS = {
  objects: 'for (let j = 0; j < 1000; j++) held.push({ a: i, b: j, c: [i, j] });',
  strings:
    'for (let j = 0; j < 50; j++) held.push(String(i + j).padEnd(2000, "y").split("").join("z"));',
  arrays: 'held.push(new Array(50_000).fill(i));',
};

/** Runs a program until V8 ends it, with the check looking now and then; returns what the check said. */
function runOut(leak: string, mebibytes: number): Promise<{ said: string[]; fatal: boolean }> {
  const source = `
    import { heapCheck } from '@temper/health/checks';
    import { writeSync } from 'node:fs';
    const { check } = heapCheck();
    const held = [];
    for (let i = 0; ; i++) {
      if (i % 2 === 0) writeSync(1, (await check({})).status + '\\n');
      ${leak}
      if (i % 10 === 0) await new Promise(setImmediate);
    }`;
  const child = spawn(
    process.execPath,
    [`--max-old-space-size=${mebibytes}`, '--input-type=module', '--eval', source],
    { cwd: new URL('../..', import.meta.url), stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let out = '';
  let errors = '';
  child.stdout.on('data', (text) => (out += text));
  child.stderr.on('data', (text) => (errors += text));
  return new Promise((resolve) => {
    child.on('close', () =>
      resolve({ said: out.trim().split('\n'), fatal: errors.includes('FATAL ERROR') }),
    );
  });
}

describe('a program that runs out of heap', () => {
  it.each([
    ['objects', 64],
    ['strings', 128],
    ['arrays', 96],
  ] as const)(
    'is not healthy when V8 ends it: %s in %i MiB',
    async (kind, mebibytes) => {
      const { said, fatal } = await runOut(LEAKS[kind], mebibytes);
      expect(fatal).toBe(true);
      expect(said[0]).toBe('healthy');
      // V8 gives up between 80 and 100 % of its limit, so the last word may be `degraded`.
      expect(said.at(-1)).not.toBe('healthy');
    },
    120_000,
  );
});
