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

/** A program as a body has it. */
export interface ProgramBody {
  readonly source: string;
  readonly language?: string;
  readonly definition?: string;
  readonly packages?: Readonly<Record<string, string>>;
}

/** A program ready for the toolchain, and what of it is not as fresh as it should be. */
interface ReadyProgram {
  readonly program: Omit<ProgramSource, 'target'>;
  /** Packages by name: their versions, and why one is an older copy. */
  readonly packages: Readonly<
    Record<string, { readonly version: string; readonly degraded: DegradationView | undefined }>
  >;
}

/** @throws {LanguageDefinitionError} when the definition has faults */
function definitionOf({ language, definition }: ProgramBody): LanguageDefinition {
  if (definition !== undefined) return loadDefinition(definition);
  const name = language ?? 'core';
  if (!isBundledLanguage(name)) throw new Problem('bad-request', `There is no language '${name}'.`);
  return bundledDefinition(name);
}

/**
 * Reads what a program uses, and fetches it through the guarded registry: each package with all that
 * it needs, a copy of a known age where the registry is away.
 */
export async function readyProgram(
  hardening: Hardening,
  body: ProgramBody,
  options: OperationOptions,
): Promise<ReadyProgram> {
  const definition = await marking(() => definitionOf(body));
  const { source, packages: ranges = {} } = body;
  // Other names are none of the registry's; the checker says that there is no such package.
  const names = new Set(
    parse(definition, source).program.body.flatMap((item) =>
      item.kind === 'UseDeclaration' && isPackageName(item.packageName) ? [item.packageName] : [],
    ),
  );
  if (names.size > LIMITS.packages) {
    throw new Problem('bad-request', `A program may use ${LIMITS.packages} packages.`);
  }
  const fetched = await Promise.all(
    [...names].map(async (name) => {
      const answer = await hardening.registry.fetchPackage(name, ranges[name] ?? '*', options);
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
