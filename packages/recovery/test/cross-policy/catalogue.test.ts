import * as audit from '@temper/audit';
import * as breaker from '@temper/breaker';
import * as limiters from '@temper/ratelimit';
import * as adaptive from '@temper/ratelimit/adaptive';
import * as http from '@temper/ratelimit/http';
import * as shared from '@temper/ratelimit/shared';
import * as retry from '@temper/retry';
import { describe, expect, it } from 'vitest';
import * as recovery from '../../src/index.ts';
import { FACTORIES, KINDS } from './catalogue.ts';

/** Exported functions that make no policy, and `keyed`, which needs a key in each call. */
const OTHERS: readonly string[] = [
  'auditLog',
  'defaultRedactionRules',
  'generateSigningKey',
  'keyIdOf',
  'keyedHash',
  'migrateLog',
  'noteSigner',
  'keyed',
  'retryBudget',
  'retryDetails',
  'fairQueue',
  'priorityQueue',
  'nestRateLimitGuard',
  'rateLimitUpgrade',
  'rateLimitMiddleware',
  'fastifyRateLimit',
  'honoRateLimit',
  'fetchRateLimit',
];

const exported = new Map<string, unknown>();
for (const module of [audit, breaker, limiters, adaptive, http, shared, retry, recovery]) {
  for (const [name, value] of Object.entries(module)) {
    if (/^[a-z]/.test(name) && typeof value === 'function') exported.set(name, value);
  }
}

describe('the catalogue of the suite', () => {
  it('has all that the packages make policies with', () => {
    const missing = [...exported.keys()].filter((name) => !OTHERS.includes(name));
    expect(missing.filter((name) => !FACTORIES.includes(exported.get(name)))).toEqual([]);
    expect(FACTORIES).toHaveLength(missing.length);
  });

  it('uses all of them', () => {
    const text = Object.values(KINDS).map(String).join('\n');
    const unused = FACTORIES.map((factory) => (factory as { name: string }).name).filter(
      (name) => !new RegExp(`\\b${name}\\)?\\(`).test(text),
    );
    expect(unused).toEqual([]);
  });
});
