import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { withoutSpans } from '../../test/tree.ts';
import { formatTree } from '../format/format.ts';
import { bundledDefinition } from '../lang/bundled.ts';
import { loadDefinition } from '../lang/load.ts';
import { formatDiagnostic } from '../source/diagnostic.ts';
import type { Program } from './ast.ts';
import { ParseError } from './errors.ts';
import { MAX_NESTING, MAX_SYNTAX_ERRORS, parse, parseStrict } from './parse.ts';

const core = bundledDefinition('core');
const escuela = bundledDefinition('escuela');
const algol = bundledDefinition('algol');

const problems = (text: string) => parse(core, text).diagnostics.map(formatDiagnostic);
const shape = (program: Program) => withoutSpans(program);
/** An expression with explicit parentheses around every operation. */
function grouped(definition: typeof core, text: string): string {
  const { program } = parseStrict(
    definition,
    `let x ${definition.marks.assign} ${text}`.replace('let', definition.keywords.let),
  );
  const [statement] = program.body;
  if (statement?.kind !== 'LetStatement') throw new Error('no let');
  const write = (node: typeof statement.value): string => {
    if (node.kind === 'BinaryExpression')
      return `(${write(node.left)} ${node.operator} ${write(node.right)})`;
    if (node.kind === 'PrefixExpression') return `(${node.operator} ${write(node.operand)})`;
    return node.kind === 'NameExpression' ? node.name.text : '?';
  };
  return write(statement.value);
}

describe('parsing', () => {
  it('equivalent programs in different languages have the same tree', () => {
    const text = readFileSync(new URL('../../examples/fibonacci.es.pc', import.meta.url), 'utf8');
    const { program } = parseStrict(escuela, text);
    const english = formatTree(core, program);
    expect(english).toContain('fn fib(n: int): int {\n  if n < 2 {\n    return n\n  }');
    const again = parseStrict(core, english).program;
    const types = (value: unknown) =>
      JSON.parse(
        JSON.stringify(shape(value as Program), (key, inner) =>
          typeof inner === 'bigint'
            ? `${inner}`
            : key === 'text' && ['entero', 'int'].includes(inner)
              ? 'int'
              : inner,
        ),
      );
    expect(types(again)).toEqual(types(program));
  });

  it.each([
    ['a + b * c - d', '((a add (b multiply c)) subtract d)'],
    ['a - b - c', '((a subtract b) subtract c)'],
    ['a ** b ** c', '(a power (b power c))'],
    ['-a ** b', '(negate (a power b))'],
    ['-a * b', '((negate a) multiply b)'],
    ['- - a', '(negate (negate a))'],
    ['not a == b and c', '((not (a equal b)) and c)'],
    ['a or b and not c or d', '((a or (b and (not c))) or d)'],
    ['a ** -b', '(a power (negate b))'],
    ['a * not b + c', '(a multiply (not (b add c)))'],
  ])('parses %s by operator precedence', (text, wanted) => {
    expect(grouped(core, text)).toBe(wanted);
  });

  it('parses with the precedences of the definition', () => {
    // Here not and - bind tightest, & is right-associative, and = can be chained.
    expect(grouped(algol, 'not a = b')).toBe('((not a) equal b)');
    expect(grouped(algol, '-a ^ b')).toBe('((negate a) power b)');
    expect(grouped(algol, 'a & b & c')).toBe('(a concatenate (b concatenate c))');
    expect(grouped(algol, 'a = b = c')).toBe('((a equal b) equal c)');
  });

  it('the value of a return starts on the same line', () => {
    const bodies = parseStrict(core, 'fn f() { return\nf() }\nfn g() { return f() }').program.body;
    const kinds = bodies.map((one) =>
      one.kind === 'FunctionDeclaration' ? one.body.statements.map(({ kind }) => kind) : [],
    );
    expect(kinds).toEqual([['ReturnStatement', 'CallStatement'], ['ReturnStatement']]);
  });

  it('recognizes a word in composed and decomposed Unicode form', () => {
    const definition = loadDefinition(
      'name: t\nkeywords: { function: función }\noperators: []\nfunctions: []\n',
    );
    const text = 'función f() {}\nlet ñ = 1\nñ = 2\n'.normalize('NFD');
    const { program, diagnostics } = parse(definition, text);
    expect(diagnostics).toEqual([]);
    const names = program.body.map((one) =>
      'name' in one ? one.name.text : 'target' in one ? one.target.text : '',
    );
    expect(names).toEqual(['f', 'ñ', 'ñ']);
  });

  it('parses literals exactly', () => {
    const text = 'print(9223372036854775807, 1e3, 0.1, "a\\u{1F600}\\n\\"\\\\", 007)';
    const [statement] = parseStrict(core, text).program.body;
    const values =
      statement?.kind === 'CallStatement' && statement.call.kind === 'CallExpression'
        ? statement.call.arguments.map((one) => ('value' in one ? one.value : undefined))
        : [];
    expect(values).toEqual([9223372036854775807n, 1000, 0.1, 'a😀\n"\\', 7n]);
  });

  it.each([
    [
      'let x = 9223372036854775808',
      '1:9: the int literal is too large; the maximum is 9223372036854775807',
    ],
    ['let x = 1e999', '1:9: the float literal is too large'],
    ['let s = "a\\q"', '1:11: invalid escape sequence; the valid ones are'],
    ['let s = "\\u{D800}"', '1:10: invalid escape sequence; the valid ones are'],
    ['let s = "abc', '1:9: unterminated string literal'],
    ['/* abc', '1:1: unterminated comment'],
    ['let x = a < b < c', "1:15: '<' cannot be chained; use parentheses"],
    ['let x = ', '1:8: expected a value, found end of input'],
    ['f(1,, 2)', "1:5: expected a value, found ','"],
    ['if x { y = 1', "1:13: expected '}', found end of input"],
    ['}', "1:1: expected a statement, found '}'"],
    ['x + 1', "1:3: expected an assignment or a call, found '+'"],
    ['let 5 = x', "1:5: expected a name, found '5'"],
    ['let x = 1 € 2', "1:11: unrecognized input '€'"],
  ])('reports the syntax error in %s', (text, wanted) => {
    expect(problems(text)[0]?.slice(0, wanted.length)).toBe(wanted);
  });

  it('recovers from a syntax error and reports the next one', () => {
    const text = 'let a = \nlet b = 2\nprint(1,, b)\nif a { b = }\nlet c = 3\n';
    const { program, diagnostics } = parse(core, text);
    expect(diagnostics.map(({ start }) => start.line)).toEqual([2, 3, 4]);
    expect(program.body.map(({ kind }) => kind)).toEqual([
      'ErrorStatement',
      'LetStatement',
      'CallStatement',
      'IfStatement',
      'LetStatement',
    ]);
    // The valid parts of the invalid statements are kept.
    expect(program.body[2]).toMatchObject({
      call: { arguments: [{ value: 1n }, { kind: 'ErrorExpression' }, { name: { text: 'b' } }] },
    });
    expect(program.body.at(-1)).toMatchObject({ kind: 'LetStatement', name: { text: 'c' } });
  });

  it('parseStrict throws a SyntaxError with line and column', () => {
    const bad = () => parseStrict(core, 'let x = 1\nlet y = (');
    expect(bad).toThrow(ParseError);
    expect(bad).toThrow(SyntaxError);
    expect(bad).toThrow(expect.objectContaining({ line: 2, column: 10 }));
  });

  it('reports a source that exceeds maxLength', () => {
    const { diagnostics } = parse(core, 'print(1)\n'.repeat(10), { maxLength: 50 });
    expect(diagnostics.map(formatDiagnostic)).toEqual([
      '6:6: the source is 90 characters long; the maximum is 50',
    ]);
  });

  it('parses a text at the nesting limit and reports one beyond it', () => {
    const open = MAX_NESTING;
    expect(problems(`let x = ${'('.repeat(open)}1${')'.repeat(open)}`)).toEqual([]);
    expect(problems(`let x = ${'('.repeat(open + 1)}1${')'.repeat(open + 1)}`)).toEqual([
      `1:${9 + open}: brackets or blocks are nested more than ${MAX_NESTING} levels deep`,
    ]);
    expect(problems(`${'if true {'.repeat(open)}${'}'.repeat(open)}`)).toEqual([]);
    expect(
      problems(`let x = ${'fn() { return ('.repeat(open / 2)}1${') }'.repeat(open / 2)}`),
    ).toEqual([]);
  });
});

describe('hostile input', () => {
  const MAX = 262_000;
  it.each([
    '(',
    '{',
    'f(',
    '-',
    'not ',
    'a ',
    'a,',
    'f(,',
    'if ',
    '"',
    '"\\',
    '/*',
    '1+',
    'else ',
    'fn(',
    'fn f(',
    'let x = ',
    'x = (1',
    '}',
    ')',
    ';',
    '=',
    'use a.',
    '1 ',
    'fn f() {',
    '@',
    '€',
    '\0',
    'f()',
    '(1)',
    '()',
    'x=1+',
    '[',
    '0',
    'f(1,,,,2)\n',
    'if true {} else ',
    'a.b',
    'return ',
    'while ',
    '\ud800',
    'x\n',
    ',',
  ])('parses a long repetition of %j quickly and without a stack overflow', (unit) => {
    for (const head of ['', 'let x = ', 'fn f() { ']) {
      const started = performance.now();
      const { diagnostics } = parse(
        core,
        head + unit.repeat(Math.floor((MAX - head.length) / unit.length)),
      );
      expect(diagnostics.length).toBeLessThanOrEqual(MAX_SYNTAX_ERRORS);
      // A second is a hundred times the expected time; a quadratic algorithm would take minutes.
      expect(performance.now() - started).toBeLessThan(10_000);
    }
  });

  it('reports a diagnostic for 100 000 nested parentheses', () => {
    const text = `let x = ${'('.repeat(100_000)}1${')'.repeat(100_000)}`;
    expect(problems(text)).toEqual([
      `1:109: brackets or blocks are nested more than ${MAX_NESTING} levels deep`,
    ]);
  });

  it('reports a diagnostic for a chain that makes a deep tree without brackets', () => {
    expect(problems(`let x = 1${' + 1'.repeat(50_000)}`)[0]).toMatch(
      /operators, calls or blocks are nested more than 400 levels deep/,
    );
    expect(problems(`f${'()'.repeat(50_000)}`)[0]).toMatch(
      /operators, calls or blocks are nested more than 400 levels deep/,
    );
    expect(problems(`let x = 1${' + 1'.repeat(300)}`)).toEqual([]);
    // Statements and branches do not nest.
    expect(problems('f()\n'.repeat(50_000))).toEqual([]);
    expect(problems(`if true {}${' else if true {}'.repeat(10_000)}`)).toEqual([]);
  });
});
