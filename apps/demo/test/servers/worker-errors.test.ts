import {
  LanguageDefinitionError,
  OutputLimitError,
  ParseError,
  ProtocolValidationError,
  StepBudgetError,
  TypeCheckError,
  UnsupportedConstructError,
} from '@temper/parsercraft';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { Job, JobKind } from '../../src/workers/jobs.ts';
import { perform } from '../../src/workers/perform.ts';
import { WorkerPool } from '../../src/workers/pool.ts';

const CORE = { bundled: 'core' } as const;
const core = (source: string) => ({ source, language: CORE, packages: new Map() });
const protocols = { name: 'X', structure: {}, against: [], timeMs: 1_000 };

/** A job for each error that the toolchain documents. */
const FAILING: readonly (readonly [string, new (...list: never[]) => Error, Job])[] = [
  ['a syntax error', ParseError, { kind: 'c', input: core('let let') }],
  ['a type error', TypeCheckError, { kind: 'types', input: core('let x: int = "a"') }],
  [
    'a function value',
    UnsupportedConstructError,
    { kind: 'c', input: core('let f = fn(x: int): int { return x }\nprint(f(1))\n') },
  ],
  ['an endless loop', StepBudgetError, { kind: 'run', input: core('while true { }') }],
  [
    'endless output',
    OutputLimitError,
    {
      kind: 'run',
      input: core('while true { print("0123456789012345678901234567890123456789") }'),
    },
  ],
  [
    'an invalid definition',
    LanguageDefinitionError,
    { kind: 'imports', input: { source: '', language: { definition: 'name: [' } } },
  ],
  [
    'an unknown protocol',
    ProtocolValidationError,
    { kind: 'protocols', input: { ...protocols, definitions: [], against: ['Y'] } },
  ],
];

async function failureOf(work: Promise<unknown>): Promise<Error> {
  try {
    await work;
  } catch (error) {
    return error as Error;
  }
  return expect.fail('It resolved.');
}

describe('a job in a worker', () => {
  it('fails with the same error as in this process', async () => {
    const pool = new WorkerPool({
      size: 1,
      budget: { timeMs: 60_000, memoryMb: 128 },
      log: (line) => expect.fail(line),
    });
    onTestFinished(() => pool.close());
    await pool.start();
    const { signal } = new AbortController();
    for (const [what, type, job] of FAILING) {
      const own = await failureOf(perform(job));
      const { kind, input } = job as Job<JobKind>;
      const other = await failureOf(pool.run(kind, () => input, { signal }));
      expect(own, what).toBeInstanceOf(type);
      expect(other, what).toBeInstanceOf(type);
      expect(other.message, what).toBe(own.message);
      expect({ ...other }, what).toEqual({ ...own });
    }
    // None of them was taken for a limit or a crash.
    expect(Object.values(pool.stats().replaced)).toEqual([0, 0, 0, 0, 0]);
  });

  it('finds the packages of a program once each', async () => {
    const source = 'use std.math\nuse std.text as t\nuse std.math as m\n';
    const job = { kind: 'imports', input: { source, language: CORE } } as const;
    expect(await perform(job)).toEqual(['std.math', 'std.text']);
  });
});
