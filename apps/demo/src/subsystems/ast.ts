import {
  bundledDefinition,
  createToolchain,
  type InferredName,
  type LanguageDefinition,
  type PackageSources,
  type RunResult,
  type Structure,
  structureOf,
} from '@temper/parsercraft';
import type { AstSubsystem } from '@temper/parsercraft-handlers';
import { marking } from './error-marks.ts';

/** A program with its language definition and its packages. */
export interface ProgramSource {
  readonly definition: LanguageDefinition;
  readonly source: string;
  readonly packages: PackageSources;
  /** Whether to generate C or to run the program. */
  readonly target: 'c' | 'output';
}

export type GeneratedCode =
  | { readonly target: 'c'; readonly c: string }
  | { readonly target: 'output'; readonly result: RunResult };

export interface InferredTypes {
  readonly names: readonly InferredName[];
  /** The functions of the program as methods, for protocol checks. */
  readonly structure: Structure;
}

/** Step limit of the interpreter: well below a second of work. */
const MAX_STEPS = 2_000_000;
const MAX_OUTPUT_BYTES = 64 * 1024;

/** Code generation, interpretation and type inference in this process. */
export function astSubsystem(): AstSubsystem<ProgramSource, GeneratedCode, InferredTypes> {
  const toolchainOf = ({ definition, packages }: ProgramSource) =>
    createToolchain(definition, { packages });
  return {
    generateCode: (program, { signal }) =>
      marking(async (): Promise<GeneratedCode> => {
        const toolchain = toolchainOf(program);
        if (program.target === 'c') return { target: 'c', c: toolchain.toC(program.source) };
        const limits = { maxSteps: MAX_STEPS, maxOutputBytes: MAX_OUTPUT_BYTES };
        const result = await toolchain.run(program.source, { signal, ...limits });
        return { target: 'output', result };
      }),
    inferTypes: (program) =>
      marking(() => {
        const toolchain = toolchainOf(program);
        const names = toolchain.infer(program.source);
        return { names, structure: structureOf(toolchain.check(program.source).main) };
      }),
    probe: {
      definition: bundledDefinition('core'),
      source: 'fn twice(n: int): int { return n * 2 }\nprint(twice(21))\n',
      packages: new Map(),
      target: 'c',
    },
  };
}
