import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { garbage } from '../../test/garbage.ts';
import { BUNDLED_LANGUAGES, bundledDefinition } from '../lang/bundled.ts';
import { ParseError } from '../parse/errors.ts';
import { parse, parseStrict } from '../parse/parse.ts';
import { check, checkStrict } from './check.ts';
import { TypeCheckError } from './errors.ts';

describe.each(BUNDLED_LANGUAGES)('invalid programs in %s', (language) => {
  const definition = bundledDefinition(language);

  it('diagnostics of any text lie inside the text', () => {
    fc.assert(
      fc.property(garbage(definition), (text) => {
        const { diagnostics } = check(parse(definition, text));
        const lines = text.split('\n');
        for (const { start, end, message } of diagnostics) {
          expect(message).not.toBe('');
          expect(start.offset).toBeGreaterThanOrEqual(0);
          expect(end.offset).toBeGreaterThanOrEqual(start.offset);
          expect(end.offset).toBeLessThanOrEqual(text.length);
          for (const { line, column, offset } of [start, end]) {
            // The line and column correspond to the offset.
            const before = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
            expect(before + column - 1).toBe(offset);
            expect(column - 1).toBeLessThanOrEqual((lines[line - 1] as string).length);
          }
        }
      }),
      { numRuns: 1500 },
    );
  });

  it('checking any text throws only ParseError or TypeCheckError', () => {
    fc.assert(
      fc.property(garbage(definition), (text) => {
        let parsed: ReturnType<typeof parse>;
        try {
          parsed = parseStrict(definition, text);
        } catch (error) {
          expect(error).toBeInstanceOf(ParseError);
          return;
        }
        try {
          checkStrict(parsed);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeCheckError);
        }
      }),
      { numRuns: 1500 },
    );
  });
});
