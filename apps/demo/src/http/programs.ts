import {
  bundledDefinition,
  isBundledLanguage,
  type PackageSources,
  packageSources,
} from '@temper/parsercraft';
import type { Degradation, OperationOptions } from '@temper/parsercraft-handlers';
import type { Hardening } from '../service/service.ts';
import { marking } from '../subsystems/error-marks.ts';
import type { Language, PackageText, Program } from '../workers/jobs.ts';
import { type DegradationView, degradationView } from './degradation.ts';
import { isPackageName } from './package-name.ts';
import { Problem } from './problem.ts';
import { LIMITS } from './schemas.ts';

/** A program in a request body. */
export interface ProgramBody {
  readonly source: string;
  readonly language?: string;
  readonly definition?: string;
  readonly packages?: Readonly<Record<string, string>>;
}

/** A program with its fetched packages, ready for the toolchain. */
interface ReadyProgram {
  readonly program: Program;
  /** Versions of the packages by name, and why a package is a stale copy, if it is. */
  readonly packages: Readonly<
    Record<string, { readonly version: string; readonly degraded: DegradationView | undefined }>
  >;
}

function languageOf({ language, definition }: ProgramBody): Language {
  if (definition !== undefined) return { definition };
  const bundled = language ?? 'core';
  if (!isBundledLanguage(bundled)) {
    throw new Problem('bad-request', `Unknown language '${bundled}'.`);
  }
  return { bundled };
}

/** Whether a program cannot use packages, because the keyword for it is nowhere in its text. */
function usesNothing(language: Language, source: string): boolean {
  return (
    'bundled' in language && !source.includes(bundledDefinition(language.bundled).keywords.use)
  );
}

/**
 * Fetches the packages that a program uses, with their dependencies, through the guarded registry. While
 * the registry is unavailable, a package may be a stale copy.
 */
export async function readyProgram(
  hardening: Hardening,
  body: ProgramBody,
  options: OperationOptions,
): Promise<ReadyProgram> {
  const { source, packages: ranges = {} } = body;
  const language = languageOf(body);
  const names = await packagesOf(hardening, { source, language, packages: new Map() }, options);
  if (names.length > LIMITS.packages) {
    throw new Problem('bad-request', `A program may use at most ${LIMITS.packages} packages.`);
  }
  const fetched = await untilOneFails(options.signal, names, async (name, signal) => {
    // A name is chosen by the caller: `constructor` is not a range, though every object has it.
    const range = Object.hasOwn(ranges, name) ? ranges[name] : undefined;
    const answer = await hardening.registry.fetchPackage(name, range ?? '*', {
      ...options,
      signal,
    });
    return { name, ...answer };
  });
  const all = fetched.flatMap(({ value }) => [...value.packages]);
  const packages = await marking(() => textsOf(packageSources(all)));
  return {
    program: { language, source, packages },
    packages: Object.fromEntries(
      fetched.map(({ name, value, degraded }) => [
        name,
        { version: value.root.metadata.version, degraded: viewOf(degraded) },
      ]),
    ),
  };
}

/**
 * Works on all at the same time. When one fails, the others are cancelled: nobody waits for them any more,
 * and their calls would be load without a request.
 */
async function untilOneFails<T, R>(
  signal: AbortSignal | undefined,
  all: readonly T[],
  work: (one: T, signal: AbortSignal) => Promise<R>,
): Promise<readonly R[]> {
  const failed = new AbortController();
  const either = AbortSignal.any([failed.signal, ...(signal === undefined ? [] : [signal])]);
  try {
    return await Promise.all(all.map((one) => work(one, either)));
  } catch (error) {
    failed.abort(new Error('Another package of the program was not fetched.'));
    throw error;
  }
}

/** The packages that a program uses. Names that the registry cannot have are left to the type checker. */
async function packagesOf(
  hardening: Hardening,
  program: Program,
  options: OperationOptions,
): Promise<readonly string[]> {
  if (usesNothing(program.language, program.source)) return [];
  const { value } = await hardening.ast.inferTypes(
    { ...program, target: 'imports' },
    'imports',
    options,
  );
  return value.imports.filter(isPackageName);
}

/** The sources as a worker gets them: with the name of their language. */
function textsOf(sources: PackageSources): ReadonlyMap<string, PackageText> {
  const texts = [...sources].map(([name, { source, definition }]) => {
    const language = definition.name as PackageText['language'];
    return [name, { source, language }] as const;
  });
  return new Map(texts);
}

const viewOf = (degraded: Degradation | undefined): DegradationView | undefined =>
  degraded === undefined ? undefined : degradationView(degraded);
