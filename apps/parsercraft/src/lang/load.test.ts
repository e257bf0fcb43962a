import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUNDLED_LANGUAGES, bundledDefinition, bundledDefinitionText } from './bundled.ts';
import { LanguageDefinitionError } from './errors.ts';
import { loadDefinition } from './load.ts';

const base = `name: tiny
operators:
  - { meaning: add, symbol: "+", precedence: 5 }
functions:
  - { name: print, meaning: print, arity: 1 }
`;

function issuesOf(yaml: string): readonly string[] {
  try {
    loadDefinition(yaml);
  } catch (error) {
    if (!(error instanceof LanguageDefinitionError)) throw error;
    return error.issues.map(
      ({ line, column, path, message }) => `${line}:${column} ${path}: ${message}`,
    );
  }
  return [];
}

describe('language definitions', () => {
  it.each(BUNDLED_LANGUAGES)('loads the bundled language definition %s', (language) => {
    const definition = bundledDefinition(language);
    expect(definition.name).toBe(language);
    expect(definition.operators.map(({ meaning }) => meaning)).toContain('add');
    expect(bundledDefinition(language)).toBe(definition);
  });

  it('a definition defaults to English words and braces', () => {
    const definition = loadDefinition(base);
    expect(definition.keywords).toMatchObject({ function: 'fn', while: 'while', true: 'true' });
    expect(definition.marks).toEqual({ blockOpen: '{', blockClose: '}', assign: '=' });
    expect(definition.types.int).toBe('int');
    expect(definition.extension).toBe('.tiny');
    expect(definition.operators[0]).toMatchObject({ kind: 'binary', associativity: 'left' });
    expect(definition.functions[0]?.arity).toEqual({ min: 1, max: 1 });
  });

  it.each([
    ['keywords: { if: let }', "6:17 keywords.if: 'let' is already used for the keyword let"],
    ['keywords: { unless: no }', '6:13 keywords.unless: unknown key; expected one of use'],
    ['keywords: { if: "2x" }', "6:17 keywords.if: '2x' is not a word"],
    ['keywords: [if]', '6:11 keywords: must be a mapping'],
    ['types: { int: if }', "6:15 types.int: 'if' is already a keyword"],
    ['types: { int: n, float: n }', "6:25 types.float: 'n' is already used for the type int"],
    ['marks: { assign: "(" }', "6:18 marks.assign: '(' is not a sign"],
    ['marks: { assign: "+" }', "3:5 operators.0: '+' is already used for the mark assign"],
    [
      'marks: { blockOpen: while }',
      "6:21 marks.blockOpen: 'while' is already used for the keyword while",
    ],
    ['comments: { line: "+" }', "6:11 comments: '+' starts a comment, so '+'"],
    [
      'comments: { blockOpen: "/*" }',
      '6:11 comments: blockOpen and blockClose must be given together',
    ],
    [
      'comments: { line: "/", blockOpen: "/*", blockClose: "*/" }',
      "6:11 comments: the line comment '/' hides the block comment '/*'",
    ],
    [
      'comments: { blockOpen: "%%", blockClose: "%%" }',
      "6:24 comments.blockOpen: '%%' is already used by blockClose",
    ],
    [
      'comments: { line: "%%", blockOpen: "%%", blockClose: "@@" }',
      "6:36 comments.blockOpen: '%%' is already used by line",
    ],
    ['extension: pc', "6:12 extension: 'pc' does not match"],
    ['colour: red', '6:1 colour: unknown key'],
  ])('reports the position of an invalid definition: %s', (line, wanted) => {
    const issues = issuesOf(`${base}${line}\n`);
    expect(issues.map((issue) => issue.slice(0, wanted.length))).toContain(wanted);
  });

  it.each([
    [
      '{ meaning: add, symbol: "*", precedence: 5 }',
      '4:5 operators.1: an operator for add is already defined',
    ],
    [
      '{ meaning: subtract, symbol: "+", precedence: 5 }',
      "4:5 operators.1: '+' is already used for the operator add",
    ],
    [
      '{ meaning: power, symbol: "^", precedence: 5, associativity: right }',
      "4:5 operators.1: precedence 5 already has associativity 'left' (operator add)",
    ],
    [
      '{ meaning: not, symbol: no, precedence: 5, associativity: left }',
      '4:63 operators.1.associativity: not is a prefix operator',
    ],
    [
      '{ meaning: power, symbol: "^", precedence: 100 }',
      '4:48 operators.1.precedence: must be an integer from 1 to 99',
    ],
    [
      '{ meaning: shout, symbol: "^", precedence: 9 }',
      '4:16 operators.1.meaning: must be one of or, and',
    ],
    ['{ meaning: power, precedence: 9 }', "4:5 operators.1: missing required key 'symbol'"],
    ['plus', '4:5 operators.1: must be a mapping'],
  ])('reports the position of an invalid operator: %s', (operator, wanted) => {
    const yaml = base.replace('functions:', `  - ${operator}\nfunctions:`);
    expect(issuesOf(yaml).map((issue) => issue.slice(0, wanted.length))).toContain(wanted);
  });

  it.each([
    [
      '{ name: print, meaning: abs, arity: 1 }',
      "6:5 functions.1: 'print' is already used for the function print",
    ],
    ['{ name: ab, meaning: abs, arity: 2 }', '6:38 functions.1.arity: the arity of abs must be 1'],
    [
      '{ name: p, meaning: print, arity: { min: 3, max: 2 } }',
      '6:39 functions.1.arity: min 3 is greater than max 2',
    ],
    ['{ name: p, meaning: sing, arity: 2 }', '6:25 functions.1.meaning: must be one of print'],
    [
      '{ name: if, meaning: abs, arity: 1 }',
      "6:5 functions.1: 'if' is already used for the keyword if",
    ],
  ])('reports the position of an invalid function: %s', (line, wanted) => {
    const issues = issuesOf(`${base}  - ${line}\n`);
    expect(issues.map((issue) => issue.slice(0, wanted.length))).toContain(wanted);
  });

  it('reports all issues of a definition at once, in document order', () => {
    expect(issuesOf('name: 3\noperators: 4\nfunctions: 5\n')).toEqual([
      expect.stringMatching(/^1:7 name: /),
      '2:12 operators: must be a list',
      '3:12 functions: must be a list',
    ]);
  });

  it.each([
    ['', 'must be a mapping'],
    ['[', 'Flow sequence'],
    ['a: b: c', 'Nested mappings are not allowed'],
    ['['.repeat(50_000), 'nested|Maximum|Flow'],
    [`name: ${'x'.repeat(70_000)}`, 'characters long'],
    ['a: &x [1]\nb: *x\n', 'unknown key'],
  ])('rejects the invalid definition %j', (yaml, wanted) => {
    expect(issuesOf(yaml).join('\n')).toMatch(new RegExp(wanted));
  });

  it('loading any text throws only LanguageDefinitionError, with positions inside the text', () => {
    const mutated = fc
      .tuple(
        fc.constantFrom(...BUNDLED_LANGUAGES).map(bundledDefinitionText),
        fc.array(fc.tuple(fc.nat(4000), fc.nat(40), fc.string({ maxLength: 8 })), {
          minLength: 1,
          maxLength: 5,
        }),
      )
      .map(([text, cuts]) =>
        cuts.reduce(
          (now, [at, length, put]) => now.slice(0, at) + put + now.slice(at + length),
          text,
        ),
      );
    fc.assert(
      fc.property(fc.oneof(mutated, fc.string()), (yaml) => {
        try {
          loadDefinition(yaml);
        } catch (error) {
          expect(error).toBeInstanceOf(LanguageDefinitionError);
          const lines = yaml.split('\n');
          for (const { line, column } of (error as LanguageDefinitionError).issues) {
            expect(line).toBeGreaterThanOrEqual(1);
            expect(line).toBeLessThanOrEqual(lines.length);
            expect(column).toBeGreaterThanOrEqual(1);
            expect(column).toBeLessThanOrEqual((lines[line - 1] as string).length + 1);
          }
        }
      }),
      { numRuns: 1000 },
    );
  });
});
