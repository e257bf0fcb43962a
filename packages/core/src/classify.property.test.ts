import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classify, ERROR_CATEGORIES, ERROR_SEVERITIES, errorType } from './classify.ts';

/** Anything at all, and often what looks like an error. */
const anything = fc.oneof(
  fc.anything({ withNullPrototype: true, withBigInt: true, withDate: true, withMap: true }),
  fc.record(
    {
      code: fc.oneof(fc.string(), fc.constantFrom('ECONNREFUSED', 'ENOENT', 'E_1'), fc.integer()),
      name: fc.oneof(fc.string(), fc.constantFrom('AbortError', 'TypeError')),
      status: fc.oneof(fc.integer({ min: -10, max: 700 }), fc.double()),
      message: fc.string(),
      cause: fc.anything(),
      errors: fc.array(fc.anything(), { maxLength: 3 }),
    },
    { requiredKeys: [] },
  ),
);

describe('any value', () => {
  it('is classified with a category, a severity and transient', () => {
    fc.assert(
      fc.property(anything, (error) => {
        const { category, severity, transient } = classify(error);
        expect(ERROR_CATEGORIES).toContain(category);
        expect(ERROR_SEVERITIES).toContain(severity);
        expect(typeof transient).toBe('boolean');
      }),
    );
  });

  it('has an error.type that is one short word', () => {
    fc.assert(
      fc.property(anything, (error) => {
        expect(errorType(error)).toMatch(
          /^([A-Z][A-Z0-9_]{1,39}|[A-Za-z][A-Za-z0-9_.]{0,39}|[1-5]\d\d|_OTHER)$/,
        );
      }),
    );
  });

  it('has an error.type that does not depend on its message', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (first, second) => {
        expect(errorType(new Error(first))).toBe(errorType(new Error(second)));
      }),
    );
  });
});
