import { boundOf } from '@temper/testkit/repository/boundaries';
import { describe, expect, it } from 'vitest';
import { parseSettings, SettingsFileError } from '../../src/parsercraft/settings-file.ts';

const most = boundOf('documents.settings');
const PIECES = [
  '[',
  '{',
  'a: ',
  '? ',
  '- ',
  '*',
  '&a ',
  '!',
  '"\\',
  '#',
  '\n',
  ':',
  '>-\n ',
  "'",
  '%YAML 1.2\n',
];

function refusal(text: string): Error {
  try {
    parseSettings(text);
  } catch (error) {
    return error as Error;
  }
  throw new Error('It was accepted.');
}

describe('a settings file', () => {
  it('is parsed up to its length, and not beyond', () => {
    expect(parseSettings('#'.repeat(most))).toEqual({});
    expect(refusal('#'.repeat(most + 1)).message).toContain(`the maximum is ${most}`);
  });

  it.each(PIECES)('of one piece alone is refused with a short message: %j', (piece) => {
    const text = `breakers: ${piece.repeat(most / piece.length / 4)}`;
    let message = '';
    try {
      parseSettings(text);
    } catch (error) {
      expect(error).toBeInstanceOf(SettingsFileError);
      message = (error as Error).message;
    }
    expect(message.length).toBeLessThanOrEqual(1100);
  });

  it('of aliases of aliases is refused', () => {
    const level = (i: number) => `&l${i} [${`*l${i - 1},`.repeat(10)}]`;
    const text = `plans: [&l0 [x,x], ${[1, 2, 3, 4, 5, 6, 7, 8, 9].map(level).join(', ')}]`;
    expect(refusal(text)).toBeInstanceOf(SettingsFileError);
  });
});
