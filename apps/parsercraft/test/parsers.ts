import type { Parser } from '@temper/testkit/repository/fuzz';
import { LanguageDefinitionError } from '../src/lang/errors.ts';
import { loadDefinition } from '../src/lang/load.ts';
import { LockFileError, RegistryResponseError } from '../src/registry-client/errors.ts';
import { parseLockFile } from '../src/registry-client/lock-file.ts';
import { readVersionMetadata, readVersions } from '../src/registry-client/metadata.ts';

const INTEGRITY = `sha512-${'A'.repeat(86)}==`;
const VERSION = `{"name":"left-pad","version":"1.2.3","integrity":"${INTEGRITY}","sizeBytes":10,"dependencies":{"a":"^1.0.0 || >=2 <3"}}`;
const LOCK = `{"lockfileVersion":1,"requirements":{"a":"^1.0.0"},"packages":{"a":{"version":"1.0.0","integrity":"${INTEGRITY}","dependencies":{}}}}`;

const json = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** The parsers of text from elsewhere, with the laws that hold for every text. */
export const PARSERS: readonly Parser[] = [
  {
    name: 'metadata of the registry',
    accepted: [
      VERSION,
      '{"name":"left-pad","versions":["1.0.0"],"yankedVersions":[],"latest":"1.0.0"}',
    ],
    refused: ['null', '[]', '{"name":"../x"}', VERSION.replace('1.2.3', '01.2.3')],
    refusal: (error) => error instanceof RegistryResponseError && error.message.length < 1000,
    parse: (text) => {
      const body = json(text);
      return text.includes('"versions"')
        ? readVersions('/x', body)
        : readVersionMetadata('/x', body);
    },
  },
  {
    name: 'lock files',
    accepted: [LOCK],
    refused: ['', '{}', LOCK.replace(':1', ':2'), LOCK.replace('"a":{', '"A":{')],
    refusal: (error) => error instanceof LockFileError && error.message.length < 1000,
    parse: (text) => parseLockFile(text),
  },
  {
    name: 'language definitions',
    longest: 65_536,
    accepted: ['name: tiny\noperators: []\nfunctions: []\n'],
    refused: ['', '[', 'name: 1', 'a: &x [*x]', '- - -'],
    refusal: (error) => error instanceof LanguageDefinitionError,
    parse: (text) => loadDefinition(text),
  },
];
