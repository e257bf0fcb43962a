import { boundOf } from '@temper/testkit/repository/boundaries';
import { describe, expect, it } from 'vitest';
import { PlanDocumentError, parsePlans, recoveries } from '../../src/plan/index.ts';

describe('a document of plans', () => {
  it('with any number of mistakes has one message that can be read', () => {
    const name = 'x'.repeat(1000);
    const plan = Object.fromEntries(
      Array.from({ length: 50_000 }, (_, i) => [`${name}${i}`, name]),
    );
    const text = JSON.stringify({ plans: { [name]: plan } });
    let error: unknown;
    try {
      parsePlans(text);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(PlanDocumentError);
    expect((error as PlanDocumentError).problems).toHaveLength(50_000);
    expect((error as PlanDocumentError).message.length).toBeLessThanOrEqual(
      boundOf('documents.plans'),
    );
  });

  it('changes no prototype, whatever it names', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype'];
    let read = 0;
    for (const operation of names) {
      for (const field of [...names, 'strategy', 'fallback', 'retry']) {
        for (const value of [
          ...names.map((name) => JSON.stringify(name)),
          '{"__proto__":{"polluted":1}}',
        ]) {
          const text = `{"__proto__":{"polluted":1},"plans":{"${operation}":{"${field}":${value},"__proto__":{"polluted":1}}}}`;
          try {
            parsePlans(text);
          } catch (error) {
            if (!(error instanceof PlanDocumentError)) throw error;
          }
          try {
            read += parsePlans(`{"plans":{"${operation}":{"strategy":"retry"}}}`).length;
          } catch (error) {
            if (!(error instanceof PlanDocumentError)) throw error;
          }
        }
      }
    }
    expect(read).toBeGreaterThan(0);
    const inherited = Object.keys(Object.prototype).length + ('polluted' in {} ? 1 : 0);
    expect(inherited).toBe(boundOf('documents.prototype'));
  });

  it('of an operation with the name of a method of every object makes a recovery of its own', async () => {
    const plans = parsePlans('{"plans":{"toString":{"strategy":"retry","maxRetries":0}}}');
    const all = recoveries({ plans });
    expect(await all.run('toString' as never, () => 'ran')).toBe('ran');
  });
});
