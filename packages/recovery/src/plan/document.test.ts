import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { parsePlans } from './document.ts';
import { PlanDocumentError } from './errors.ts';
import { recoveries } from './recoveries.ts';

const YAML = `
plans:
  fetch_package:
    strategy: [retry, fallback]
    maxRetries: 3
    retryDelayMs: 100
    timeoutMs: 5000
    fallback: fromCache
    retry: { jitter: none }
  check_protocol:
    strategy: circuit_break
    breaker: { failureThreshold: 15 }
  lsp_operation: { strategy: graceful_degrade, degrade: partial }
`;

function problems(document: unknown) {
  try {
    parsePlans(document);
  } catch (error) {
    expect(error).toBeInstanceOf(PlanDocumentError);
    return (error as PlanDocumentError).problems;
  }
  return [];
}

describe('a document of plans', () => {
  it('is read from YAML, from JSON, or from an object', () => {
    const plans = parsePlans(YAML, parse);
    expect(plans).toMatchObject([
      { operation: 'fetch_package', strategy: ['retry', 'fallback'], fallback: 'fromCache' },
      { operation: 'check_protocol', strategy: 'circuit_break' },
      { operation: 'lsp_operation', degrade: 'partial' },
    ]);
    expect(parsePlans(JSON.stringify(parse(YAML)))).toEqual(plans);
    expect(parsePlans(parse(YAML))).toEqual(plans);
    expect(parsePlans({ plans: {} })).toEqual([]);
  });

  it('becomes plans whose handlers are looked up by name', async () => {
    const manager = recoveries({
      plans: parsePlans(YAML, parse),
      handlers: { fromCache: () => 'cached', partial: () => [] },
    });
    const bug = () => Promise.reject(new TypeError('bug'));
    await expect(manager.run('fetch_package', bug)).resolves.toBe('cached');
    await expect(manager.execute('lsp_operation', bug)).resolves.toMatchObject({ degraded: [] });
    expect(() => recoveries({ plans: parsePlans(YAML, parse) })).toThrow(
      "fallback must be a function or the name of a handler (known are none), got 'fromCache'.",
    );
  });

  it('is refused with every problem: path, value and what was expected', () => {
    expect(
      problems({
        plan: 1,
        plans: {
          a: { strategy: 'give_up', maxRetries: -1, timeoutMs: '5s', retrys: 3 },
          b: 7,
          c: { strategy: ['retry', 'fallback'] },
          d: { strategy: 'graceful_degrade', degrade: '' },
          e: { attemptTimeoutMs: 0, retry: [], spans: 'some', retryDelayMs: null },
        },
      }),
    ).toEqual([
      { path: 'plan', value: '1', expected: "nothing: only 'plans' is known here" },
      {
        path: 'plans.a.strategy',
        value: "'give_up'",
        expected:
          "one of 'retry', 'circuit_break', 'fallback', 'graceful_degrade', or an array of them",
      },
      { path: 'plans.a.maxRetries', value: '-1', expected: 'an integer >= 0' },
      { path: 'plans.a.timeoutMs', value: "'5s'", expected: 'a number of milliseconds > 0' },
      {
        path: 'plans.a.retrys',
        value: '3',
        expected: expect.stringContaining('no such field; known are strategy, maxRetries'),
      },
      { path: 'plans.b', value: '7', expected: 'a plan: an object' },
      {
        path: 'plans.c.fallback',
        value: 'undefined',
        expected: "the name of a handler, as strategy names 'fallback'",
      },
      { path: 'plans.d.degrade', value: "''", expected: 'the name of a handler' },
      {
        path: 'plans.e.attemptTimeoutMs',
        value: '0',
        expected: 'a number of milliseconds > 0, or an object with a quantile',
      },
      { path: 'plans.e.retry', value: 'an array of 0', expected: 'an object' },
      { path: 'plans.e.spans', value: "'some'", expected: "one of 'all', 'failures', 'none'" },
      {
        path: 'plans.e.retryDelayMs',
        value: 'null',
        expected: 'a number of milliseconds >= 0',
      },
    ]);
  });

  it('may have every valid value in a field', () => {
    const a = {
      maxRetries: 0,
      retryDelayMs: 0,
      timeoutMs: 0.5,
      attemptTimeoutMs: 0.25,
      spans: 'none',
    };
    const b = { attemptTimeoutMs: { quantile: 0.9, maxMs: 100 }, retry: {}, breaker: {} };
    expect(parsePlans({ plans: { a, b } })).toEqual([
      { operation: 'a', ...a },
      { operation: 'b', ...b },
    ]);
    for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, -1, true]) {
      expect(problems({ plans: { c: { attemptTimeoutMs: wrong } } })).toHaveLength(1);
    }
  });

  it('is refused with one message', () => {
    expect(() => parsePlans({ plans: { a: { timeoutMs: -5 } } })).toThrow(
      'The recovery plans are invalid: plans.a.timeoutMs: expected a number of milliseconds > 0, got -5.',
    );
  });

  it.each([
    [null, '(document)'],
    [[], '(document)'],
    [{}, 'plans'],
    [{ plans: [] }, 'plans'],
    ['no JSON', '(document)'],
    ['null', '(document)'],
  ])('is refused as a whole: %o', (document, path) => {
    expect(problems(document)).toMatchObject([{ path }]);
  });

  it('keeps the cause when its text cannot be parsed', () => {
    try {
      parsePlans('{');
      expect.unreachable();
    } catch (error) {
      expect((error as Error).cause).toBeInstanceOf(SyntaxError);
    }
  });

  it('is refused with PlanDocumentError only, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.jsonValue(), fc.record({ plans: fc.jsonValue() }), fc.string(), fc.anything()),
        (document) => {
          try {
            for (const { operation } of parsePlans(document))
              expect(operation).toBeTypeOf('string');
          } catch (error) {
            expect(error).toBeInstanceOf(PlanDocumentError);
            expect((error as PlanDocumentError).problems.length).toBeGreaterThan(0);
          }
        },
      ),
    );
  });

  it('is quoted in the message bounded and scrubbed, however long or hostile it is', () => {
    const plans = Object.fromEntries(
      Array.from({ length: 1000 }, (_, index) => [`\u001b[31m${'x'.repeat(10_000)}${index}`, 1]),
    );
    try {
      parsePlans({ plans });
      expect.unreachable();
    } catch (error) {
      const { message, problems: all } = error as PlanDocumentError;
      expect(all).toHaveLength(1000);
      expect(message.length).toBeLessThan(10_000);
      expect(message).not.toContain('\u001b');
      expect(message).toMatch(/And 980 more\.$/);
    }
  });
});
