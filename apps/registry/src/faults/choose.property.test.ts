import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ROUTES } from '../route-patterns.ts';
import { chooseFaults, seededRandom } from './choose.ts';
import { type Fault, parseFaultPlan } from './plan.ts';

const ALL_ROUTES = Object.values(ROUTES);
const probability = fc.double({ min: 0, max: 1, noNaN: true });
const scope = {
  probability,
  routes: fc.uniqueArray(fc.constantFrom(...ALL_ROUTES), { minLength: 1, maxLength: 3 }),
  methods: fc.uniqueArray(fc.constantFrom('GET', 'HEAD', 'POST'), { minLength: 1 }),
  durationMs: fc.integer({ min: 1, max: 3_600_000 }),
};
const loose = { requiredKeys: ['kind'] as ['kind'] };
const fault: fc.Arbitrary<Fault> = fc.oneof(
  fc.record(
    {
      kind: fc.constant('latency' as const),
      latencyMs: fc.nat({ max: 60_000 }),
      jitterMs: fc.nat({ max: 60_000 }),
      ...scope,
    },
    { requiredKeys: ['kind', 'latencyMs'] },
  ),
  fc.record(
    {
      kind: fc.constant('error' as const),
      status: fc.constantFrom(429 as const, 500 as const, 502 as const, 503 as const, 504 as const),
      retryAfterSeconds: fc.nat({ max: 86_400 }),
      retryAfterFormat: fc.constantFrom('seconds' as const, 'date' as const),
      ...scope,
    },
    { requiredKeys: ['kind', 'status'] },
  ),
  fc.record({ kind: fc.constant('refuse' as const), durationMs: scope.durationMs }, loose),
  fc.record(
    {
      kind: fc.constant('hang' as const),
      at: fc.constantFrom('headers' as const, 'body' as const),
      ...scope,
    },
    loose,
  ),
  fc.record(
    {
      kind: fc.constant('cut' as const),
      mode: fc.constantFrom('destroy' as const, 'short' as const),
      fraction: fc.double({ min: 0, max: 0.999, noNaN: true }),
      ...scope,
    },
    loose,
  ),
  fc.record({ kind: fc.constant('corrupt' as const), ...scope }, loose),
) as fc.Arbitrary<Fault>;
const faults = fc.array(fault, { maxLength: 8 });
const target = fc.record({
  method: fc.constantFrom('GET', 'HEAD', 'POST', 'PUT'),
  route: fc.option(fc.constantFrom(...ALL_ROUTES), { nil: undefined }),
});
const seed = fc.nat({ max: 2 ** 32 - 1 });

describe('chooseFaults', () => {
  it('chooseFaults hits only faults in scope, selects at most one terminal fault and bounds delays', () => {
    fc.assert(
      fc.property(faults, target, seed, (plan, request, start) => {
        const { delayMs, terminal, hits } = chooseFaults(plan, request, seededRandom(start));
        for (const hit of hits) {
          expect(hit.kind).not.toBe('refuse');
          if (hit.methods !== undefined) expect(hit.methods).toContain(request.method);
          if (hit.routes !== undefined) expect(hit.routes).toContain(request.route);
          expect(hit.probability).not.toBe(0);
        }
        const deciding = hits.filter((hit) => hit.kind !== 'latency');
        expect(deciding).toEqual(terminal === undefined ? [] : [terminal]);
        let low = 0;
        let high = 0;
        for (const hit of hits) {
          if (hit.kind !== 'latency') continue;
          low += hit.latencyMs;
          high += hit.latencyMs + (hit.jitterMs ?? 0);
        }
        expect(delayMs).toBeGreaterThanOrEqual(low);
        expect(delayMs).toBeLessThanOrEqual(high);
      }),
    );
  });

  it('chooseFaults always applies the first certain fault in scope unless an earlier one applied', () => {
    fc.assert(
      fc.property(faults, target, seed, (plan, request, start) => {
        const certain = plan.map((entry) => ({ ...entry, probability: 1 }) as Fault);
        const { terminal } = chooseFaults(certain, request, seededRandom(start));
        const first = certain.find(
          (entry) =>
            entry.kind !== 'refuse' &&
            entry.kind !== 'latency' &&
            (entry.methods?.includes(request.method) ?? true) &&
            (entry.routes === undefined ||
              (request.route !== undefined && entry.routes.includes(request.route))),
        );
        expect(terminal).toBe(first);
      }),
    );
  });

  it('a seed makes chooseFaults repeatable', () => {
    fc.assert(
      fc.property(faults, fc.array(target), seed, (plan, requests, start) => {
        const run = (): unknown[] => {
          const random = seededRandom(start);
          return requests.map((request) => chooseFaults(plan, request, random));
        };
        expect(run()).toEqual(run());
      }),
    );
  });

  it('a fault hits with its probability', () => {
    const random = seededRandom(1);
    const plan: Fault[] = [{ kind: 'error', status: 500, probability: 0.3 }];
    let hits = 0;
    for (let i = 0; i < 20_000; i += 1) {
      hits += chooseFaults(plan, { method: 'GET', route: '/health' }, random).hits.length;
    }
    expect(hits / 20_000).toBeCloseTo(0.3, 1);
  });
});

describe('parseFaultPlan', () => {
  it('parseFaultPlan accepts every plan of the declared types', () => {
    fc.assert(
      fc.property(faults, seed, (plan, start) => {
        const result = parseFaultPlan({ faults: plan, seed: start }, ALL_ROUTES);
        expect(result).toEqual({ ok: true, plan: { faults: plan, seed: start } });
      }),
    );
  });

  it('parseFaultPlan rejects a fault with an invalid member and names the member', () => {
    fc.assert(
      fc.property(
        fault,
        fc.nat(),
        fc.constantFrom(null, {}, -1, 'nonsense', Number.NaN),
        (good, pick, bad) => {
          const members = Object.keys(good);
          const member = members[pick % members.length]!;
          const result = parseFaultPlan({ faults: [{ ...good, [member]: bad }] }, ALL_ROUTES);
          expect(result.ok).toBe(false);
          if (!result.ok) {
            expect(result.flaws.map((flaw) => flaw.field)).toContain(`faults[0].${member}`);
          }
        },
      ),
    );
  });

  it('parseFaultPlan never throws', () => {
    fc.assert(
      fc.property(fc.anything(), fc.anything(), (whole, one) => {
        expect(parseFaultPlan(whole, ALL_ROUTES).ok).toBe(false);
        expect(typeof parseFaultPlan({ faults: [one] }, ALL_ROUTES).ok).toBe('boolean');
      }),
    );
  });
});
