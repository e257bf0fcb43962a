import { describe, expect, it } from 'vitest';
import { bundledDefinition } from '../lang/bundled.ts';
import { parse, parseStrict } from '../parse/parse.ts';
import { formatDiagnostic } from '../source/diagnostic.ts';
import { createToolchain } from '../toolchain.ts';
import { check, checkStrict, type PackageSource } from './check.ts';
import { TypeCheckError } from './errors.ts';
import { typeText } from './type.ts';

const core = bundledDefinition('core');
const escuela = bundledDefinition('escuela');

function problems(text: string, packages: Record<string, string> = {}): readonly string[] {
  const sources = new Map<string, PackageSource>(
    Object.entries(packages).map(([name, source]) => [name, { source, definition: core }]),
  );
  return check(parse(core, text), { packages: sources }).diagnostics.map(formatDiagnostic);
}

function types(text: string): Record<string, string> {
  const names = createToolchain(core).infer(text);
  return Object.fromEntries(names.map(({ name, type }) => [name, type]));
}

describe('type inference', () => {
  it('infers the types of variables from their values', () => {
    const text = 'let i = 1 let f = 0.5 let b = i < 2 let s = "a" + string(i) let g = -f';
    expect(types(text)).toEqual({ i: 'int', f: 'float', b: 'bool', s: 'string', g: 'float' });
  });

  it('infers the type of a function from its body and its calls together', () => {
    expect(types('fn twice(x) { return x + x }\nlet s = twice("ab")')).toMatchObject({
      twice: 'fn(string): string',
      s: 'string',
    });
    expect(types('fn half(x) { return x / 2.0 }')).toMatchObject({ half: 'fn(float): float' });
    expect(types('fn len(s) { return length(s) + 1 }')).toMatchObject({ len: 'fn(string): int' });
    expect(types('fn say(x: bool) { print(x) }')).toMatchObject({ say: 'fn(bool)' });
    // An unresolved number defaults to int.
    expect(types('fn add(a, b) { return a + b }')).toMatchObject({ add: 'fn(int, int): int' });
  });

  it('infers the types of higher-order functions', () => {
    const text = `
      fn twice(f, x) { return f(f(x)) }
      let s = twice(fn(t) { return t + "!" }, "a")
      fn adder(n: int) { return fn(m) { return n + m } }
      let five = adder(2)(3)
      fn each(f) { f(1) }
    `;
    expect(types(text)).toMatchObject({
      twice: 'fn(fn(string): string, string): string',
      s: 'string',
      adder: 'fn(int): fn(int): int',
      five: 'int',
      each: 'fn(fn(int))',
    });
  });

  it('infers types through mutual recursion', () => {
    const text = `
      fn even(n) { if n == 0 { return true } return odd(n - 1) }
      fn odd(n) { if n == 0 { return false } return even(n - 1) }
    `;
    expect(types(text)).toMatchObject({ even: 'fn(int): bool', odd: 'fn(int): bool' });
  });

  it('requires a result type when one of several uses needs the result', () => {
    const each = 'fn each(f) { f(1) }\n';
    expect(types(each)).toMatchObject({ each: 'fn(fn(int))' });
    const needed = `${each}fn both(h) { each(h) let x = h(1) }`;
    expect(problems(needed)).toContain("1:9: cannot infer the type of 'f'; add a type annotation");
    expect(types(`${needed} both(fn(n) { return n })`)).toMatchObject({ each: 'fn(fn(int): int)' });
    const later = 'fn need(h) { let x = h(1) }\nfn each(f) { f(1) need(f) }';
    expect(problems(later)).toContain("2:9: cannot infer the type of 'f'; add a type annotation");
  });

  it('prints types in the language of the program', () => {
    const names = createToolchain(escuela).infer('funcion doble(x) inicio devuelve x * 2.0 fin');
    expect(names).toEqual([
      { name: 'doble', kind: 'function', type: 'funcion(real): real', line: 1, column: 9 },
      { name: 'x', kind: 'parameter', type: 'real', line: 1, column: 15 },
    ]);
  });
});

describe('type errors', () => {
  it.each([
    ['let x = 1 + 2.0', '1:13: expected int, found float'],
    ['let x: string = 1', '1:17: expected string, found int'],
    ['let x = 1\nx = "a"', '2:5: expected int, found string'],
    ['print(y)', "1:7: undefined name 'y'"],
    ['y = 1', "1:1: undefined name 'y'"],
    ['if 1 { }', '1:4: expected bool, found int'],
    ['while "a" { }', '1:7: expected bool, found string'],
    ['for i from 1 to 2.0 { }', '1:17: expected int, found float'],
    ['let x = true + false', '1:9: expected int, float or string, found bool'],
    ['let x = "a" - "b"', '1:9: expected int or float, found string'],
    ['let x = 1.5 % 2.0', '1:9: expected int, found float'],
    ['let x = 2 ** 0.5', '1:14: expected int, found float'],
    ['let x = not 1', '1:13: expected bool, found int'],
    ['let x = true < false', '1:9: expected int, float or string, found bool'],
    ['let x = print', "1:9: 'print' is a built-in function and cannot be used as a value"],
    ['let x = print(1)', '1:9: this call does not return a value'],
    ['let x = length(1)', '1:16: expected string, found int'],
    ['let x = length()', '1:9: expected 1 argument, found 0'],
    ['fn f(a: int): int { return a }\nlet x = f()', '2:9: expected 1 argument, found 0'],
    ['fn f(a: int): int { return a }\nlet x = f("a")', '2:11: expected int, found string'],
    ['let x = 1\nx(2)', '2:1: a value of type int cannot be called'],
    ['let x: number = 1', "1:8: unknown type 'number'; expected one of int, float, bool, string"],
    ['let x = 1 let x = 2', "1:15: 'x' is already declared as a variable in this scope"],
    ['let print = 1', "1:5: 'print' is the name of a built-in function"],
    ['fn f() {} fn f() {}', "1:14: 'f' is already declared as a function"],
    ['fn f() {}\nlet f = 1', "2:5: 'f' is already declared as a function"],
    ['fn f(a: int, a: int) {}', "1:14: 'a' is already declared as a parameter in this scope"],
    ['fn f() {}\nf = f', "2:1: 'f' is a function and cannot be assigned to"],
    ['for i from 1 to 2 { i = 1 }', "1:21: 'i' is a loop variable and cannot be assigned to"],
    ['fn f(): int { }', '1:4: not every code path of this function returns a value'],
    [
      'fn f(a: bool): int { if a { return 1 } }',
      '1:4: not every code path of this function returns a value',
    ],
    [
      'fn f(): int { while true { return 1 } }',
      '1:4: not every code path of this function returns a value',
    ],
    ['fn f(): int { return }', '1:15: expected a return value of type int'],
    ['fn f() { return 1 return "a" }', '1:26: expected int, found string'],
    ['return 1', "1:1: 'return' is outside a function"],
    ['fn f(a: int, b: int): int { return a }\nlet x = f(1)', '2:9: expected 2 arguments, found 1'],
    ['break', "1:1: 'break' is outside a loop"],
    ['while true { let f = fn() { continue } f() }', "1:29: 'continue' is outside a loop"],
    [
      'let n = 1\nfn f(): int { return n }',
      "2:22: 'n' is a variable of the main program and is not visible in a function",
    ],
    ['fn f(x) { return x }', "1:6: cannot infer the type of 'x'; add a type annotation"],
    ['fn f() { return f() }', "1:4: cannot infer the return type of 'f'; add a type annotation"],
    ['fn f(x) { return x(x) }', '1:18: expected fn(?): ?, found ?'],
    ['let x = "a" == 1', '1:16: expected string, found int'],
    ['math.gcd(1, 2)', "1:1: no package is imported as 'math'"],
  ])('reports the type error in %s', (text, wanted) => {
    expect(problems(text)).toContain(wanted);
  });

  it('a block may shadow an outer name', () => {
    expect(problems('let x = 1 if true { let x = "a" print(x) } print(x + 1)')).toEqual([]);
    expect(problems('fn f(x: int): int { return x }\nif true { let f = 1 print(f) }')).toEqual([]);
  });

  it('a function expression captures enclosing variables', () => {
    expect(problems('let n = 1 let f = fn(): int { n = n + 1 return n } print(f())')).toEqual([]);
  });

  it('reports no follow-up errors', () => {
    expect(problems('let x = y + 1\nprint(x * 2.0, x and true)')).toHaveLength(1);
    expect(problems('let x = y\nlet z = x + 1\nprint(z and true, x)')).toEqual([
      "1:9: undefined name 'y'",
    ]);
  });

  it('checkStrict throws a TypeError with line and column', () => {
    const bad = () => checkStrict(parseStrict(core, 'let a = 1\nlet b = a + "x"'));
    expect(bad).toThrow(TypeCheckError);
    expect(bad).toThrow(TypeError);
    expect(bad).toThrow(expect.objectContaining({ line: 2, column: 13 }));
  });

  it('reports types that grow exponentially instead of running out of memory', () => {
    const pairs = (name: string) =>
      Array.from(
        { length: 60 },
        (_, i) => `let ${name}${i + 1} = fn(k) { return k(${name}${i}, ${name}${i}) }`,
      );
    const text = ['let a0 = fn(n: int) { return n }', ...pairs('a')].join('\n');
    const started = performance.now();
    expect(problems(text)).toContain('1:1: the types of this program are too complex to infer');
    expect(performance.now() - started).toBeLessThan(10_000);
    const deep = Array.from({ length: 7000 }, (_, i) => `let b${i + 1} = fn() { return b${i} }`);
    expect(problems(['let b0 = 1', ...deep].join('\n'))).toEqual([
      '1:1: the types of this program are too complex to infer',
    ]);
  });

  it('truncates the text of a very long type', () => {
    const deep = Array.from(
      { length: 300 },
      (_, i) => `let b${i + 1} = fn(a: int) { return b${i} }`,
    );
    const { main } = check(parse(core, ['let b0 = 1', ...deep].join('\n')));
    const last = main.symbols.findLast(({ name }) => name === 'b300');
    expect(last && typeText(last.type, core).length).toBeLessThan(300);
  });
});

describe('packages', () => {
  const text = 'use std.text as t\nuse std.math\nprint(t.twice("a"), math.one())';
  const packages = {
    'std.math': 'fn one(): int { return 1 }',
    'std.text':
      'use std.math\nfn twice(s: string) { return s + s }\nfn two() { return math.one() + 1 }',
  };

  it('packages are checked separately and expose their functions', () => {
    expect(problems(text, packages)).toEqual([]);
    expect(problems(`${text}\nprint(t.twice(1))`, packages)).toEqual([
      '4:15: expected string, found int',
    ]);
    expect(problems(`${text}\nprint(t.thrice("a"))`, packages)).toEqual([
      "4:9: package 'std.text' has no function 'thrice'",
    ]);
  });

  it('a package may use another language than the program', () => {
    const saludo: PackageSource = {
      source: 'funcion hola(nombre: texto): texto inicio devuelve "Hola, " + nombre fin',
      definition: escuela,
    };
    const { diagnostics } = check(parse(core, 'use saludo\nprint(saludo.hola("Ana"))'), {
      packages: new Map([['saludo', saludo]]),
    });
    expect(diagnostics).toEqual([]);
  });

  it.each([
    ['use none', {}, "1:5: package 'none' not found"],
    [
      'use a',
      { a: 'use b\nfn x() {}', b: 'use a\nfn y() {}' },
      "1:5: error in package 'a': 1:5: error in package 'b': 1:5: circular package dependency: a → b → a",
    ],
    [
      'use a',
      { a: 'fn f(): int { return "x" }' },
      "1:5: error in package 'a': 1:22: expected int, found string",
    ],
    ['use a', { a: 'fn f( {' }, "1:5: error in package 'a': 1:7: expected ')', found '{'"],
    [
      'use a',
      { a: 'print(1)' },
      "1:5: error in package 'a': 1:1: a package may contain only functions and package imports",
    ],
    [
      'use x.a\nuse y.a',
      { 'x.a': '', 'y.a': '' },
      "2:5: another package is already imported as 'a'",
    ],
  ] as [string, Record<string, string>, string][])(
    'rejects an invalid package import: %s',
    (program, sources, wanted) => {
      expect(problems(program, sources)).toContain(wanted);
    },
  );

  it('each package is checked once, after its dependencies', () => {
    const { modules } = check(parse(core, text), {
      packages: new Map(
        Object.entries(packages).map(([name, source]) => [name, { source, definition: core }]),
      ),
    });
    expect(modules.map(({ name }) => name)).toEqual(['std.math', 'std.text']);
  });
});
