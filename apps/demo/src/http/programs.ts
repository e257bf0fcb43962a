import {
  bundledDefinition,
  isBundledLanguage,
  type LanguageDefinition,
  loadDefinition,
  packageSources,
  parse,
} from '@temper/parsercraft';
import type { Degradation, OperationOptions } from '@temper/parsercraft-handlers';
import type { Hardening } from '../service/service.ts';
import type { ProgramSource } from '../subsystems/ast.ts';
import { marking } from '../subsystems/error-marks.ts';
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
  readonly program: Omit<ProgramSource, 'target'>;
  /** Versions of the packages by name, and why a package is a stale copy, if it is. */
  readonly packages: Readonly<
    Record<string, { readonly version: string; readonly degraded: DegradationView | undefined }>
  >;
}

/** @throws {LanguageDefinitionError} when the definition is invalid */
function definitionOf({ language, definition }: ProgramBody): LanguageDefinition {
  if (definition !== undefined) return loadDefinition(definition);
  const name = language ?? 'core';
  if (!isBundledLanguage(name)) throw new Problem('bad-request', `Unknown language '${name}'.`);
  return bundledDefinition(name);
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
  const definition = await marking(() => definitionOf(body));
  const { source, packages: ranges = {} } = body;
  // Names that the registry cannot have are left to the type checker, which reports them.
  const names = new Set(
    parse(definition, source).program.body.flatMap((item) =>
      item.kind === 'UseDeclaration' && isPackageName(item.packageName) ? [item.packageName] : [],
    ),
  );
  if (names.size > LIMITS.packages) {
    throw new Problem('bad-request', `A program may use at most ${LIMITS.packages} packages.`);
  }
  const fetched = await Promise.all(
    [...names].map(async (name) => {
      // A name is chosen by the caller: `constructor` is not a range, though every object has it.
      const range = Object.hasOwn(ranges, name) ? ranges[name] : undefined;
      const answer = await hardening.registry.fetchPackage(name, range ?? '*', options);
      return { name, ...answer };
    }),
  );
  const all = fetched.flatMap(({ value }) => [...value.packages]);
  return {
    program: { definition, source, packages: await marking(() => packageSources(all)) },
    packages: Object.fromEntries(
      fetched.map(({ name, value, degraded }) => [
        name,
        { version: value.root.metadata.version, degraded: viewOf(degraded) },
      ]),
    ),
  };
}

const viewOf = (degraded: Degradation | undefined): DegradationView | undefined =>
  degraded === undefined ? undefined : degradationView(degraded);
