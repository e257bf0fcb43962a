import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hasCompiler, Workshop } from '../../test/compiler.ts';
import { runSync } from '../interpret/run.ts';
import { bundledDefinition } from '../lang/bundled.ts';
import type { LanguageDefinition } from '../lang/definition.ts';
import { parse, parseStrict } from '../parse/parse.ts';
import { check, checkStrict, type PackageSource } from '../types/check.ts';
import { UnsupportedConstructError } from './errors.ts';
import { toC } from './to-c.ts';

const core = bundledDefinition('core');
const escuela = bundledDefinition('escuela');
const algol = bundledDefinition('algol');
const example = (path: string) =>
  readFileSync(new URL(`../../examples/${path}`, import.meta.url), 'utf8');
const packages = new Map<string, PackageSource>(
  ['std.math', 'std.text'].map((name) => [
    name,
    { source: example(`packages/${name}/main.pc`), definition: core },
  ]),
);
const checked = (text: string, definition: LanguageDefinition = core) =>
  checkStrict(parseStrict(definition, text), { packages });

const PROGRAMS: Record<string, { text: string; definition?: LanguageDefinition }> = {
  primes: { text: example('primes.pc') },
  imports: { text: example('imports.pc') },
  fibonacci: { text: example('fibonacci.es.pc'), definition: escuela },
  algol: {
    text: `
      procedure spell(n: integer): text begin
        if n < 10 begin yield show(n) end
        yield spell(n div 10) & "," & show(n mod 10)
      end
      var total := 0
      for i in 1 to 5 begin if i = 3 begin next end total := total + i ^ 2 end
      write(spell(12345) & " " & show(total) & show(not true or true))
    `,
    definition: algol,
  },
  order: {
    text: `
      fn say(n: int): int { print("say", n) return n }
      fn yes(n: int): bool { print("yes", n) return n > 1 }
      print(say(1) + say(2) * say(3), string(say(4)) + string(say(5)))
      print(yes(1) or yes(2), yes(1) and yes(2), (yes(3) or yes(4)) and not (yes(1) and yes(5)))
      let n = 0
      while say(n) + say(1) < 4 and (yes(n) or yes(n + 1) or n < 1) { n = n + 1 }
      if yes(0) { print("a") } else if say(1) + say(1) == 3 { print("b") } else if yes(2) { print("c") }
      for i from say(1) to say(2) + say(0) { print(i) }
      fn keep(a: int, b: int): int { return a - b }
      print(keep(say(9), keep(say(8), say(7))))
    `,
  },
  unused: {
    text: 'let a = 1 let b = "x" b = "y" fn f(p: int, q: string) { let r = 2.0 } fn g() { } f(1, "") for i from 1 to 2 { } length("a")',
  },
  'code that compilers warn about': {
    text: `
      let x = 3 let y = 2.0 let s = "a" let t = true
      print(x == x, x < x, x != x, y == y, s == s, t == t, t and t, t or t, not t == t, x / 1 / 1)
      fn endless(n: int): int { return endless(n + 1) }
      fn both(n: int): bool { if n > 0 { return true } else { return false } }
      x = x y = y s = s t = t
      fn same(n: int): int { n = n return n }
      fn ignored(n: int) { n = n }
      print(same(1)) ignored(2)
      while false { print(1) }
      if true { } else { }
      print(both(1))
      print(endless(0))
    `,
  },
  texts: {
    text: `
      print("??/ ??= % %d \\\\ \\" \\u{7}\\u{1F600}ñ" + "\\n\\ttab", length("ñandú😀"))
      print(substring("ñandú😀", 4, 9), substring("ñandú😀", -5, 2), substring("abc", 1, -1) + "|")
      print("a" < "ñ", "\\u{FFFF}" < "\\u{10000}", "" < "a", "ab" >= "abc", "x" + "" == "x")
    `,
  },
  numbers: {
    text: `
      print(-7 / 2, -7 % 2, 7 % -2, (-9223372036854775807 - 1) % -1, 3 ** 39, (-2) ** 63, 0 ** 0)
      print(int(-2.9), floor(-2.1), floor(2.0), int(9007199254740993.0), float(9007199254740993))
      print(min(1, 2), max(0.0 / 0.0, 1.0), min(1.0, 0.0 / 0.0), abs(-0.0), abs(-3), 2.0 ** -3, 1.5 ** 9)
      print(1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0, -0.0, 1e308 * 10.0, 5e-324 / 2.0, -5e-324 / 2.0)
    `,
  },
};

describe.runIf(hasCompiler())('compiled C', () => {
  it.each(Object.entries(PROGRAMS))(
    'compiled C prints what the interpreter prints: %s',
    (name, { text, definition }) => {
      using workshop = new Workshop();
      const program = checked(text, definition);
      const { output, errorOutput, exitCode } = runSync(program);
      const compiled = workshop.run(workshop.compile(name.replaceAll(' ', '-'), toC(program)));
      expect(compiled).toEqual({ output, errorOutput, exitCode });
      expect(output.length + errorOutput.length).toBeGreaterThan(name === 'unused' ? -1 : 0);
    },
  );

  it.each([
    'print(1 / 0)',
    'print(1 % 0)',
    'print(9223372036854775807 + 1)',
    'print(-9223372036854775807 - 2)',
    'print(4611686018427387904 * 2)',
    'print((-9223372036854775807 - 1) / -1)',
    'print(-(-9223372036854775807 - 1))',
    'print(abs(-9223372036854775807 - 1))',
    'print(10 ** 19)',
    'print(2 ** -1)',
    'print(int(9223372036854775808.0))',
    'print(int(-9223372036854775808.0), int(0.0 / 0.0))',
    'print(floor(-9223372036854775809.0), floor(1e300))',
    'let s = "ab" while true { s = s + s }',
    'fn f(n: int): int { print(n) return 1 + f(n + 1) }\nprint(f(1))',
    'use std.text\nlet s = "ab" while length(s) < 500000 { s = s + s } print(text.repeat(s, 9))',
  ])(
    'compiled C reports the same runtime error at the same position as the interpreter: %s',
    (text) => {
      using workshop = new Workshop();
      const program = checked(
        `print("before")\n${text}`.replace(/^(print.*)\n(use .*)\n/, '$2\n$1\n'),
      );
      const { output, errorOutput, exitCode } = runSync(program, { maxSteps: 1e9 });
      expect(workshop.run(workshop.compile('fault', toC(program)))).toEqual({
        output,
        errorOutput,
        exitCode,
      });
      expect(exitCode).toBe(70);
    },
  );

  it('compiled C formats every float like the interpreter', () => {
    using workshop = new Workshop();
    const near = (value: number) => {
      const view = new DataView(new ArrayBuffer(8));
      view.setFloat64(0, value);
      const bits = view.getBigUint64(0);
      return [-2n, -1n, 0n, 1n, 2n].map((step) => {
        view.setBigUint64(0, bits + step);
        return view.getFloat64(0);
      });
    };
    const values = [
      ...fc.sample(fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }), 3000),
      ...fc.sample(fc.nat(2 ** 31 - 1), 500).map((n) => n / 8),
      ...fc.sample(fc.maxSafeInteger(), 500).map((n) => Math.abs(n) / 64),
      // Digits carry at powers of ten; the distance between floats changes at powers of two.
      ...Array.from({ length: 630 }, (_, i) => Number(`1e${i - 322}`)).flatMap(near),
      ...Array.from({ length: 2000 }, (_, i) => 2 ** (i - 1000)).flatMap(near),
      562949953421312.25,
    ].filter((value) => value > 0 && Number.isFinite(value));
    const literal = (value: number) => (/[.e]/.test(String(value)) ? `${value}` : `${value}.0`);
    const lines = values.map((value) => `print(${literal(value)})`);
    for (let start = 0; start < lines.length; start += 5000) {
      const program = checked(lines.slice(start, start + 5000).join('\n'));
      const { output } = runSync(program, { maxSteps: 1e9 });
      const binary = workshop.compile(`floats${start}`, toC(program));
      expect(workshop.run(binary).output).toBe(output);
    }
    // The compiler is given thousands of lines, and may share its processor.
  }, 120_000);
});

describe('C code', () => {
  it('generates readable C code', () => {
    const text =
      'fn area(w: int, h: int): int { return w * h }\nlet total = area(2, 3) + 1\nprint(total)';
    expect(toC(checked(text), { runtime: false })).toMatchInlineSnapshot(`
      "int64_t pc_f0_area(const char *place, int64_t v1_w, int64_t v2_h);
      int64_t pc_f0_area(const char *place, int64_t v1_w, int64_t v2_h) {
        pc_enter(place);
        int64_t t0 = pc_int_multiply(v1_w, v2_h, "1:41");
        pc_leave();
        return t0;
      }
      int main(void) {
        int64_t v0_total = pc_int_add(pc_f0_area("2:13", 2, 3), 1, "2:24");
        pc_put_int(v0_total);
        pc_put("\\n");
        return 0;
      }
      "
    `);
  });

  it('generates C code only for the package functions that are used', () => {
    const c = toC(checked(PROGRAMS.imports?.text as string), { runtime: false });
    expect(c).toContain('_std_math_gcd(');
    expect(c).not.toContain('isEven');
  });

  it.each([
    ['let f = fn(n: int): int { return n }', '1:9', 'a function value'],
    ['fn f(n: int): int { return n }\nlet g = f', '2:9', 'a function value'],
    [
      'fn f(n: int): int { return n }\nfn g(h: fn(int): int): int { return h(1) }\nprint(g(f))',
      '3:9',
      'a function value',
    ],
    ['fn f() { return fn() { } }', '1:4', 'a function value'],
    [
      'fn f(n: int): int { return n }\nif true { print((fn(a: int): int { return a })(1)) }',
      '2:17',
      'a function expression',
    ],
  ])('rejects function values in C code generation: %s', (text, place, construct) => {
    const [line, column] = place.split(':').map(Number);
    const attempt = () => toC(checked(text));
    expect(attempt).toThrow(UnsupportedConstructError);
    expect(attempt).toThrow(expect.objectContaining({ line, column, construct }));
    expect(runSync(checked(text)).exitCode).toBe(0);
  });

  it('rejects C code generation for a program with errors', () => {
    expect(() => toC(check(parse(core, 'let x = (')))).toThrow(SyntaxError);
    expect(() => toC(check(parse(core, 'let x = y')))).toThrow(TypeError);
  });
});
