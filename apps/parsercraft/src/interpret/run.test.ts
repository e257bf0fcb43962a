import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bundledDefinition } from '../lang/bundled.ts';
import { parseStrict } from '../parse/parse.ts';
import { createToolchain } from '../toolchain.ts';
import { checkStrict } from '../types/check.ts';
import { OutputLimitError, StepBudgetError } from './errors.ts';
import { floatToText } from './float-text.ts';
import { compareText } from './operations.ts';
import { type RunOptions, runSync } from './run.ts';

const core = bundledDefinition('core');
const run = (text: string, options?: RunOptions) =>
  runSync(checkStrict(parseStrict(core, text)), options);
const printed = (text: string) => run(text).output;

describe('running', () => {
  it.each([
    ['print(7 / 2, -7 / 2, 7 % -2, -7 % 2)', '3 -3 1 -1'],
    ['print(2 ** 10, 2 ** 0, 0 ** 0, (-3) ** 3, 2.0 ** -2, 2.0 ** 3)', '1024 1 1 -27 0.25 8.0'],
    ['print(-9223372036854775807 - 1, (-9223372036854775807 - 1) % -1)', '-9223372036854775808 0'],
    ['print(2 ** 62 + (2 ** 62 - 1))', '9223372036854775807'],
    [
      'print(1.0, 0.1 + 0.2, 1e16, 1e15, 0.00001, 0.000001, -0.0)',
      '1.0 0.30000000000000004 1e+16 1000000000000000.0 0.00001 1e-6 -0.0',
    ],
    ['print(1.0 / 0.0, -1.0 / 0.0, 0.0 / 0.0)', 'inf -inf nan'],
    [
      'let n = 0.0 / 0.0 print(n == n, n != n, n < n, n >= n, min(n, 1.0), max(1.0, n))',
      'false true false false nan 1.0',
    ],
    ['print(-0.0 == 0.0, abs(-0.0), abs(-5), abs(-2.5))', 'true 0.0 5 2.5'],
    ['print(int(2.9), int(-2.9), floor(2.9), floor(-2.1), float(3))', '2 -2 2 -3 3.0'],
    [
      'print("a" + "b", "b" > "a", "" == "", "Z" < "a", "\\u{10000}" > "\\u{FFFF}")',
      'ab true true true true',
    ],
    [
      'print(length("ñ😀"), substring("a😀b", 1, 1), substring("abc", -1, 2), substring("abc", 2, 9), substring("abc", 9, 1))',
      '2 😀 ab c ',
    ],
    ['print(true and false or true, not true)', 'true false'],
    ['print(string(1) + string(2.5) + string(true))', '12.5true'],
    ['print()', ''],
  ])('the interpreter evaluates %s', (text, wanted) => {
    expect(printed(text)).toBe(`${wanted}\n`);
  });

  it('evaluates operands from left to right and short-circuits `and` and `or`', () => {
    const text = `
      fn say(n: int): int { print("say", n) return n }
      fn yes(n: int): bool { print("yes", n) return true }
      print(say(1) + say(2) * say(3))
      print(yes(1) or yes(2), not yes(3) and yes(4))
    `;
    expect(printed(text).split('\n')).toEqual([
      'say 1',
      'say 2',
      'say 3',
      '7',
      'yes 1',
      'yes 3',
      'true false',
      '',
    ]);
  });

  it('a counted loop evaluates its bounds once and includes both', () => {
    const text = `
      fn say(n: int): int { print("end", n) return n }
      for i from say(1) to say(3) { if i == 2 { continue } print(i) }
      for i from 3 to 1 { print("never") }
      for i from 9223372036854775806 to 9223372036854775807 { print(i) }
      for i from 1 to 9 { if i > 2 { break } print(i) }
    `;
    expect(printed(text).trim().split('\n')).toEqual([
      'end 1',
      'end 3',
      '1',
      '3',
      '9223372036854775806',
      '9223372036854775807',
      '1',
      '2',
    ]);
  });

  it('each loop iteration and each call has its own variables', () => {
    const text = `
      fn counter() { let n = 0 return fn() { n = n + 1 return n } }
      let a = counter() let b = counter()
      print(a(), a(), b())
      let last = fn() { return 0 }
      for i from 1 to 3 { let mine = i * 10 if i == 2 { last = fn() { mine = mine + 1 return mine } } }
      print(last(), last())
      fn outer(x: int) { return fn(y: int) { return fn(z: int) { x = x + 1 return x + y + z } } }
      let inner = outer(1)(2)
      print(inner(3), inner(3))
    `;
    expect(printed(text).trim().split('\n')).toEqual(['1 2 1', '21 22', '7 8']);
  });

  it('prints bools in the language of the module that prints them', () => {
    const escuela = bundledDefinition('escuela');
    const program = checkStrict(parseStrict(core, 'use a\nprint(true) a.di()'), {
      packages: new Map([
        ['a', { source: 'funcion di() inicio escribe(verdadero) fin', definition: escuela }],
      ]),
    });
    expect(runSync(program).output).toBe('true\nverdadero\n');
  });

  it.each([
    ['print(1)\nprint(1 / 0)', '2:9', 'division by zero'],
    ['print(1)\nprint(1 % 0)', '2:9', 'division by zero'],
    ['print(1)\nlet x = 9223372036854775807 + 1', '2:29', 'integer overflow'],
    ['print(1)\nlet x = -(-9223372036854775807 - 1)', '2:9', 'integer overflow'],
    ['print(1)\nlet x = (-9223372036854775807 - 1) / -1', '2:36', 'integer overflow'],
    ['print(1)\nlet x = 10 ** 19', '2:12', 'integer overflow'],
    ['print(1)\nlet x = 2 ** -1', '2:11', 'negative exponent in integer power'],
    ['print(1)\nlet x = int(1e300)', '2:9', 'float out of range for int'],
    ['print(1)\nlet x = floor(0.0 / 0.0)', '2:9', 'float out of range for int'],
    ['print(1)\nlet s = "ab" while true { s = s + s }', '2:33', 'string longer than 1048576 bytes'],
    ['fn f(n: int): int { return f(n) }\nprint(1)\nprint(f(1))', '1:28', 'call depth exceeds 1000'],
  ])('stops at a runtime error: %s', (text, place, message) => {
    expect(run(text)).toMatchObject({
      output: '1\n',
      errorOutput: `runtime error at ${place}: ${message}\n`,
      exitCode: 70,
      fault: { place, message },
    });
  });

  it('reports the package of a runtime error', () => {
    const program = checkStrict(parseStrict(core, 'use a\nprint(a.f(0))'), {
      packages: new Map([
        ['a', { source: 'fn f(n: int): int {\n  return 1 / n\n}', definition: core }],
      ]),
    });
    expect(runSync(program).fault).toEqual({ place: 'a:2:12', message: 'division by zero' });
  });

  it('limits the call depth to 1000', () => {
    const text = 'fn down(n: int): int { if n == 1 { return 1 } return 1 + down(n - 1) }\n';
    expect(printed(`${text}print(down(1000))`)).toBe('1000\n');
    expect(run(`${text}print(down(1001))`).exitCode).toBe(70);
  });

  it('stops an infinite loop at the step limit, also when it works on long strings', () => {
    expect(() => run('while true { }', { maxSteps: 1000 })).toThrow(StepBudgetError);
    const heavy =
      'let s = "ab" while length(s) < 500000 { s = s + s } while true { if s == s + "" { } }';
    const started = performance.now();
    expect(() => run(heavy)).toThrow(StepBudgetError);
    expect(performance.now() - started).toBeLessThan(20_000);
  });

  it('stops a program that exceeds the output limit', () => {
    expect(() => run('while true { print("x") }', { maxOutputBytes: 1000 })).toThrow(
      OutputLimitError,
    );
  });

  it('an abort stops a run immediately and rejects with the reason of the signal', async () => {
    const { run: runAsync } = createToolchain(core);
    const reason = new Error('enough');
    const controller = new AbortController();
    const running = runAsync('while true { }', { maxSteps: 1e12, signal: controller.signal });
    setImmediate(() => controller.abort(reason));
    await expect(running).rejects.toBe(reason);
    await expect(runAsync('print(1)', { signal: controller.signal })).rejects.toBe(reason);
  });

  it('a run yields to the event loop', async () => {
    const { run: runAsync } = createToolchain(core);
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 1);
    await runAsync('let n = 0 while n < 200000 { n = n + 1 }');
    clearInterval(timer);
    expect(turns).toBeGreaterThan(2);
  });
});

describe('the text of a float', () => {
  it('the text of a float parses back to the same float with the fewest digits', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        const text = floatToText(value);
        expect(Object.is(Number(text), value)).toBe(true);
        expect(text).toMatch(/^-?(?:\d+\.\d+|\d(?:\.\d+)?e[+-]\d+)$/);
        const digits = (one: string) =>
          one
            .replace(/e.*/, '')
            .replace(/[-.]/g, '')
            .replace(/^0+|0+$/g, '');
        // JavaScript's own text has the fewest digits; a tie may need one more here.
        expect(digits(text).length).toBeLessThanOrEqual(digits(String(value)).length + 1);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('the order of strings', () => {
  it('strings are ordered by their UTF-8 bytes', () => {
    const text = fc.string({ unit: 'binary', maxLength: 4 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compareText(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
      { numRuns: 5000 },
    );
  });
});
