import {
  bundledDefinition,
  createToolchain,
  type LanguageDefinition,
  LastGoodAnswers,
  loadDefinition,
  ProtocolSet,
  parse,
  structureOf,
} from '@temper/parsercraft';
import type { Job, JobKind, Jobs, Language, Program } from './jobs.ts';

/** Step limit of the interpreter: well below a second of work. */
export const MAX_STEPS = 2_000_000;
export const MAX_OUTPUT_BYTES = 65_536;
/** Type comparisons of all checks of one question. */
const PROTOCOL_STEPS = 1_000_000;
const STEPS_PER_PROTOCOL = 100_000;
/** Definitions that are kept with their parsers. */
const MAX_DEFINITIONS = 8;

const definitions = new Map<string, LanguageDefinition>();

function definitionOf(language: Language): LanguageDefinition {
  if ('bundled' in language) return bundledDefinition(language.bundled);
  const { definition: text } = language;
  const definition = definitions.get(text) ?? loadDefinition(text);
  definitions.delete(text);
  definitions.set(text, definition);
  const [oldest] = definitions.keys();
  if (definitions.size > MAX_DEFINITIONS) definitions.delete(oldest as string);
  return definition;
}

function toolchainOf({ language, packages }: Program) {
  const sources = [...packages].map(
    ([name, { source, language: bundled }]) =>
      [name, { source, definition: bundledDefinition(bundled) }] as const,
  );
  return createToolchain(definitionOf(language), { packages: new Map(sources) });
}

type Performers = {
  readonly [K in JobKind]: (
    input: Jobs[K]['input'],
  ) => Jobs[K]['result'] | Promise<Jobs[K]['result']>;
};

const PERFORMERS: Performers = {
  c: (program) => ({ c: toolchainOf(program).toC(program.source) }),
  run: (program) => {
    const limits = { maxSteps: MAX_STEPS, maxOutputBytes: MAX_OUTPUT_BYTES };
    return toolchainOf(program).run(program.source, limits);
  },
  types: (program) => {
    const toolchain = toolchainOf(program);
    const names = toolchain.infer(program.source);
    return { names, structure: structureOf(toolchain.check(program.source).main) };
  },
  imports: ({ language, source }) => {
    const { program } = parse(definitionOf(language), source);
    const uses = program.body.flatMap((item) =>
      item.kind === 'UseDeclaration' ? [item.packageName] : [],
    );
    return [...new Set(uses)];
  },
  protocols: ({ name, structure, definitions: protocols, against, timeMs }) => {
    const end = performance.now() + timeMs;
    const isOver = (): boolean => performance.now() > end;
    const maxSteps = Math.min(STEPS_PER_PROTOCOL, Math.ceil(PROTOCOL_STEPS / against.length));
    const set = new ProtocolSet(protocols);
    return against.map((one) => set.check(name, structure, one, { isOver, maxSteps }));
  },
  editor: ({ initialization, uri, language, texts, method, params }) => {
    const answers = new LastGoodAnswers(initialization);
    const isKnown = texts.some((text) => answers.learn(uri, text, language));
    return { answer: isKnown ? answers.answer(method, params) : undefined };
  },
};

/** Does a job in this process. Throws the errors of the toolchain. */
export async function perform<K extends JobKind>({
  kind,
  input,
}: Job<K>): Promise<Jobs[K]['result']> {
  const performer: Performers[K] = PERFORMERS[kind];
  return await performer(input);
}

const PROBE = 'fn twice(n: int): int { return n * 2 }\nprint(twice(21))\n';

/** Builds the parsers and compiles the hot paths, so that the first job is not slower than others. */
export async function warmUp(): Promise<void> {
  const language = { bundled: 'core' } as const;
  const program = { source: PROBE, language, packages: new Map() };
  for (const kind of ['c', 'run', 'types'] as const) await perform({ kind, input: program });
  for (const bundled of ['escuela', 'algol'] as const) {
    await perform({ kind: 'imports', input: { source: '', language: { bundled } } });
  }
}
