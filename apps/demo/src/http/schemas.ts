import { BUNDLED_LANGUAGES } from '@temper/parsercraft';
import { FAULT_NAMES } from '../faults/fault.ts';
import { SCENARIOS } from '../scenarios/index.ts';
import { LSP_METHODS } from '../subsystems/lsp.ts';
import { MAX_PACKAGE_NAME, PACKAGE_NAME_PATTERN } from './package-name.ts';

/** Limits on request bodies. The toolchain has its own, higher limits. */
export const LIMITS = {
  bodyBytes: 262_144,
  sourceLength: 32_768,
  definitionLength: 65_536,
  packages: 20,
  protocols: 50,
  members: 100,
  files: 64,
  fileLength: 65_536,
  auditEvents: 500,
} as const;

const NAME = {
  type: 'string',
  maxLength: MAX_PACKAGE_NAME,
  pattern: PACKAGE_NAME_PATTERN,
} as const;
const RANGE = { type: 'string', minLength: 1, maxLength: 100, format: 'semver-range' } as const;
const TYPE = { type: 'string', minLength: 1, maxLength: 200 } as const;
/** A document name that the client chooses. */
const DOCUMENT = { type: 'string', pattern: '^[A-Za-z0-9._-]{1,64}$' } as const;
const SOURCE = { type: 'string', maxLength: LIMITS.sourceLength } as const;

const object = <P extends Record<string, object>>(
  properties: P,
  required: readonly (keyof P & string)[] = [],
  description?: string,
) => ({
  type: 'object',
  additionalProperties: false,
  required: [...required],
  properties,
  ...(description === undefined ? {} : { description }),
});

const dictionary = (values: object, maxProperties: number, description?: string) => ({
  type: 'object',
  maxProperties,
  propertyNames: { maxLength: 100 },
  additionalProperties: values,
  ...(description === undefined ? {} : { description }),
});

const LANGUAGE = {
  language: {
    type: 'string',
    enum: [...BUNDLED_LANGUAGES],
    description: 'A bundled language. Default: core, unless a definition is given.',
  },
  definition: {
    type: 'string',
    maxLength: LIMITS.definitionLength,
    description: 'A language definition in YAML, instead of a bundled language.',
  },
} as const;

const PROGRAM = {
  source: { ...SOURCE, description: 'The source text of the program.' },
  ...LANGUAGE,
  packages: dictionary(
    RANGE,
    LIMITS.packages,
    'Version ranges of the packages that the program uses. Default: any version.',
  ),
} as const;

const MEMBERS = {
  methods: dictionary(
    object(
      {
        parameters: { type: 'array', maxItems: 20, items: TYPE },
        result: TYPE,
        optional: { type: 'boolean' },
      },
      ['parameters'],
    ),
    LIMITS.members,
  ),
  properties: dictionary(
    object({ type: TYPE, readonly: { type: 'boolean' }, optional: { type: 'boolean' } }, ['type']),
    LIMITS.members,
  ),
} as const;

const PROTOCOL = object(
  {
    name: { type: 'string', minLength: 1, maxLength: 100 },
    extends: { type: 'array', maxItems: 20, items: { type: 'string', maxLength: 100 } },
    ...MEMBERS,
  },
  ['name'],
);

type SchemaName =
  | 'compile'
  | 'run'
  | 'check'
  | 'packageName'
  | 'packageQuery'
  | 'publish'
  | 'lspMethod'
  | 'lsp'
  | 'auditQuery'
  | 'limitQuery'
  | 'fault'
  | 'scenarioName'
  | 'runbookId'
  | 'traceId';

/** Bodies, parameters and queries of all routes. */
export const SCHEMAS: Readonly<Record<SchemaName, object>> = {
  compile: object(PROGRAM, ['source']),
  run: object(PROGRAM, ['source']),
  check: object(
    {
      ...PROGRAM,
      protocols: {
        type: 'array',
        maxItems: LIMITS.protocols,
        items: PROTOCOL,
        description: 'Protocols to check against.',
      },
      against: {
        type: 'array',
        maxItems: LIMITS.protocols,
        items: { type: 'string', maxLength: 100 },
        description: 'Names of the protocols to check. Default: all.',
      },
      structure: object(
        MEMBERS,
        [],
        'The type to check. Default: the functions of the program as methods.',
      ),
    },
    [],
    'A program whose types are inferred, a type to check against protocols, or both.',
  ),
  packageName: object({ name: NAME }, ['name']),
  packageQuery: object({ range: RANGE, source: { type: 'boolean' } }),
  publish: object(
    {
      manifest: object(
        {
          name: NAME,
          version: { type: 'string', minLength: 1, maxLength: 64 },
          main: { type: 'string', minLength: 1, maxLength: 128 },
          language: { type: 'string', minLength: 1, maxLength: 40 },
          description: { type: 'string', maxLength: 500 },
          dependencies: dictionary(RANGE, LIMITS.packages),
        },
        ['name', 'version'],
      ),
      files: dictionary(
        { type: 'string', maxLength: LIMITS.fileLength },
        LIMITS.files,
        'File contents by path.',
      ),
    },
    ['manifest', 'files'],
  ),
  lspMethod: object({ method: { type: 'string', enum: Object.keys(LSP_METHODS) } }, ['method']),
  lsp: object(
    {
      text: SOURCE,
      language: { ...LANGUAGE.language },
      document: { ...DOCUMENT, description: 'Name under which the last valid text is kept.' },
      position: object(
        {
          line: { type: 'integer', minimum: 0, maximum: 1_000_000 },
          character: { type: 'integer', minimum: 0, maximum: 1_000_000 },
        },
        ['line', 'character'],
        'Zero-based, as in the Language Server Protocol.',
      ),
      newName: { type: 'string', minLength: 1, maxLength: 100 },
    },
    ['text'],
  ),
  auditQuery: object({
    limit: { type: 'integer', minimum: 0, maximum: LIMITS.auditEvents },
    status: { type: 'string', minLength: 1, maxLength: 64 },
    action: { type: 'string', minLength: 1, maxLength: 64 },
    traceId: { type: 'string', pattern: '^[0-9a-f]{32}$' },
    before: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
  }),
  limitQuery: object({ limit: { type: 'integer', minimum: 0, maximum: 200 } }),
  fault: object({ name: { type: 'string', enum: [...FAULT_NAMES] }, on: { type: 'boolean' } }, [
    'name',
    'on',
  ]),
  scenarioName: object({ name: { type: 'string', enum: SCENARIOS.map(({ name }) => name) } }, [
    'name',
  ]),
  runbookId: object({ id: { type: 'string', maxLength: 64 } }, ['id']),
  traceId: object({ traceId: { type: 'string', pattern: '^[0-9a-f]{32}$' } }, ['traceId']),
};
