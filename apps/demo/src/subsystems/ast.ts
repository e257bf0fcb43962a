import type { InferredName, RunResult, Structure } from '@temper/parsercraft';
import type { AstSubsystem } from '@temper/parsercraft-handlers';
import type { Program } from '../workers/jobs.ts';
import type { WorkerPool } from '../workers/pool.ts';
import { marking } from './error-marks.ts';
import { workerCall } from './worker-call.ts';

/** A program with its packages, and what to do with it. */
export interface ProgramSource extends Program {
  /** For code: generate C, or run the program. For types: infer them, or only find the packages it uses. */
  readonly target: 'c' | 'output' | 'types' | 'imports';
}

export type GeneratedCode =
  | { readonly target: 'c'; readonly c: string }
  | { readonly target: 'output'; readonly result: RunResult };

export interface InferredTypes {
  readonly names: readonly InferredName[];
  /** The functions of the program as methods, for protocol checks. */
  readonly structure: Structure;
  /** The names of the packages that the program uses, when only they were asked for. */
  readonly imports: readonly string[];
}

const NO_TYPES = { names: [], structure: {} } as const;

/** Code generation, interpretation and type inference on the workers. */
export function astSubsystem(
  pool: WorkerPool,
): AstSubsystem<ProgramSource, GeneratedCode, InferredTypes> {
  return {
    generateCode: ({ target, ...program }, context) =>
      marking(async (): Promise<GeneratedCode> => {
        if (target === 'output') {
          const result = await pool.run('run', () => program, workerCall(context));
          return { target, result };
        }
        return { target: 'c', ...(await pool.run('c', () => program, workerCall(context))) };
      }),
    inferTypes: ({ target, ...program }, context) =>
      marking(async () => {
        if (target === 'imports') {
          const { language, source } = program;
          const used = () => ({ language, source });
          return { ...NO_TYPES, imports: await pool.run('imports', used, workerCall(context)) };
        }
        return { ...(await pool.run('types', () => program, workerCall(context))), imports: [] };
      }),
    probe: {
      language: { bundled: 'core' },
      source: 'fn twice(n: int): int { return n * 2 }\nprint(twice(21))\n',
      packages: new Map(),
      target: 'c',
    },
  };
}
