import type { Parser } from '@temper/testkit/repository/fuzz';
import { parseSettings, SettingsFileError } from '../src/parsercraft/settings-file.ts';

/** The parsers of text from elsewhere, with the laws that hold for every text. */
export const PARSERS: readonly Parser[] = [
  {
    name: 'settings files',
    longest: 32_768,
    accepted: [
      '',
      '{}',
      '# nothing\n',
      'breakers:\n  registry_fetch: { failureThreshold: 3 }\nplans:\n  fetch_package: { maxAttempts: 5 }\n',
    ],
    refused: ['[', 'a: &x [*x, *x]', 'nonsense: 1', '- 1', '!!js/function x'],
    refusal: (error) =>
      error instanceof SettingsFileError && error.line >= 1 && error.message.length < 5000,
    parse: (text) => parseSettings(text),
  },
];
