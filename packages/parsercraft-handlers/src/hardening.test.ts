import { diag } from '@opentelemetry/api';
import { AuditUnavailableError, auditLog } from '@temper/audit';
import { memorySink } from '@temper/audit/memory';
import { healthMonitor } from '@temper/health';
import { InMemoryTelemetry, ManualClock, seededRandom } from '@temper/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { type FakeSubsystems, failing, fakeSubsystems } from '../test/subsystems.ts';
import {
  type HardeningOptions,
  type OperationEvent,
  type ParserCraftHardening,
  parserCraftHardening,
} from './index.ts';

interface Bench extends FakeSubsystems {
  readonly clock: ManualClock;
  readonly made: ParserCraftHardening;
  readonly ended: OperationEvent[];
}

function bench(options: HardeningOptions = {}): Bench {
  const clock = new ManualClock();
  const fake = fakeSubsystems();
  const made = parserCraftHardening(fake.subsystems, {
    clock,
    random: seededRandom(1),
    ...options,
  });
  const ended: OperationEvent[] = [];
  made.onOperation((event) => ended.push(event));
  return { ...fake, clock, made, ended };
}

const fetchIt = ({ made, clock }: Bench) =>
  clock.runUntil(made.registry.fetchPackage('std', '^1').catch((error: unknown) => error));

describe('the breakers', () => {
  it.each([
    ['ast_codegen', 10, 60_000],
    ['protocol_check', 15, 60_000],
    ['registry_fetch', 5, 120_000],
  ] as const)('%s opens after %i failures, for %i ms', async (name, failures, openMs) => {
    const it = bench({ settings: { plans: { fetch_package: { maxAttempts: 1 } } } });
    const { script, calls, made, clock } = it;
    const [call, key] = {
      ast_codegen: [() => made.ast.generateCode('p'), 'generate'],
      protocol_check: [() => made.protocols.check('p'), 'check'],
      registry_fetch: [() => made.registry.fetchPackage('a', '*'), 'fetch'],
    }[name] as [() => Promise<unknown>, 'generate' | 'check' | 'fetch'];
    script[key] = failing('other');
    const breaker = made.policies.breakers[name];
    for (let i = 1; i <= failures; i++) {
      expect(breaker.state).toBe('closed');
      await call().catch(() => {});
    }
    expect(breaker.state).toBe('open');
    await call().catch(() => {});
    expect(calls[key]).toBe(failures);
    await clock.advance(openMs - 1);
    await call().catch(() => {});
    expect(calls[key]).toBe(failures);
    await clock.advance(1);
    script[key] = () => 'well again';
    await call();
    await call();
    expect(breaker.state).toBe('closed');
  });

  it('are not opened by invalid programs, which are not tried again', async () => {
    const { script, made, calls } = bench();
    script.generate = failing('invalid');
    script.fetch = failing('invalid');
    for (let i = 0; i < 30; i++) {
      await expect(made.ast.generateCode('p')).rejects.toThrow('a invalid error');
      await expect(made.registry.fetchPackage('p', '*')).rejects.toThrow('a invalid error');
    }
    expect(calls.fetch).toBe(30);
    expect(made.policies.breakers.ast_codegen.state).toBe('closed');
    expect(made.policies.breakers.registry_fetch.state).toBe('closed');
  });

  it('end the retries when they open', async () => {
    const it = bench({ settings: { breakers: { registry_fetch: { failureThreshold: 2 } } } });
    it.script.fetch = failing('connection');
    await fetchIt(it);
    expect(it.calls.fetch).toBe(2);
  });
});

describe('the limiters', () => {
  it.each([
    ['ast_analysis', 1000, (m: ParserCraftHardening) => m.ast.inferTypes('p')],
    ['registry_query', 500, (m: ParserCraftHardening) => m.registry.fetchPackage('a', '*')],
    ['lsp_requests', 2000, (m: ParserCraftHardening) => m.lsp.request('hover', {})],
  ] as const)(
    '%s lets %i through, rejects the next, and refills in 60 s',
    async (_, limit, call) => {
      const { made, clock, ended, script } = bench();
      script.lastGood = () => 'older';
      for (let i = 0; i < limit; i++) await call(made);
      await expect(call(made)).rejects.toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
      expect(ended.at(-1)).toMatchObject({ status: 'rejected', attempts: 0 });
      await clock.advance(60_000);
      for (let i = 0; i < limit; i++) await call(made);
      await expect(call(made)).rejects.toMatchObject({ code: 'RATE_LIMIT_EXCEEDED' });
    },
  );
});

describe('fetch_package', () => {
  it('is tried three times, 100 ms and 200 ms apart, give or take a fifth', async () => {
    const it = bench();
    const at: number[] = [];
    it.script.fetch = () => {
      at.push(it.clock.monotonic());
      return failing('connection')();
    };
    expect(await fetchIt(it)).toMatchObject({ code: 'RETRY_EXHAUSTED', attempts: 3 });
    const [first = 0, second = 0, third = 0] = at;
    expect(at).toHaveLength(3);
    expect(Math.abs(second - first - 100)).toBeLessThanOrEqual(20);
    expect(Math.abs(third - second - 200)).toBeLessThanOrEqual(40);
    expect(it.made.errorStats()).toMatchObject({ total: 1, byCategory: { network: 1 } });
  });

  it('is aborted after 5 s in all', async () => {
    const it = bench();
    const start = it.clock.monotonic();
    const signals: AbortSignal[] = [];
    it.script.fetch = ({ signal }) => {
      signals.push(signal);
      return new Promise(() => {});
    };
    await fetchIt(it);
    expect(it.clock.monotonic() - start).toBe(5000);
    expect(signals).toHaveLength(3);
    expect(signals.every(({ aborted }) => aborted)).toBe(true);
    expect(it.made.errorStats().byCategory.timeout).toBe(1);
  });

  it('sees an error that is returned as a value', async () => {
    const it = bench();
    const error = Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
    it.script.fetch = () => ({ ok: false, error });
    expect(await fetchIt(it)).toMatchObject({ code: 'RETRY_EXHAUSTED', cause: error });
    expect(it.calls.fetch).toBe(3);
  });

  it('gives out a stale package with its age while the registry is away', async () => {
    const it = bench();
    await fetchIt(it);
    await it.clock.advance(60_000);
    it.script.fetch = failing('other');
    expect(await fetchIt(it)).toMatchObject({
      value: { version: '1.0.0' },
      degraded: { by: 'stale', ageMs: 60_000, error: { message: 'a other error' } },
    });
    await it.clock.advance(24 * 3_600_000);
    expect(await fetchIt(it)).toMatchObject({ message: 'a other error' });
    expect(it.ended.map(({ status }) => status)).toEqual(['success', 'degraded', 'failure']);
  });
});

describe('an operation that hangs', () => {
  it.each([
    ['generate', (m: ParserCraftHardening) => m.ast.generateCode('p'), 'ast_codegen'],
    ['infer', (m: ParserCraftHardening) => m.ast.inferTypes('p'), 'ast_codegen'],
    ['check', (m: ParserCraftHardening) => m.protocols.check('p'), 'protocol_check'],
    ['request', (m: ParserCraftHardening) => m.lsp.request('hover', {}), undefined],
  ] as const)('is given up on after 5 s: %s', async (key, call, breaker) => {
    const { made, clock, script, ended } = bench();
    script[key] = () => new Promise(() => {});
    const start = clock.monotonic();
    await clock.runUntil(call(made).catch((error: unknown) => error));
    expect(clock.monotonic() - start).toBe(5000);
    expect(ended).toMatchObject([{ attempts: 1, durationMs: 5000 }]);
    if (breaker === undefined) return;
    for (let i = 1; i < 15; i++) await clock.runUntil(call(made).catch(() => {}));
    expect(made.policies.breakers[breaker].state).toBe('open');
  });
});

describe('degraded answers', () => {
  it('are the last good one of the language server, and the unchecked report', async () => {
    const { made, script } = bench();
    script.request = failing('connection');
    script.check = failing('other');
    await expect(made.lsp.request('hover', {})).rejects.toThrow('a connection error');
    script.lastGood = () => 'older';
    expect(await made.lsp.request('hover', {})).toMatchObject({
      value: 'older',
      degraded: { by: 'last-good' },
    });
    expect(await made.protocols.check('Reader')).toMatchObject({
      value: { unchecked: 'Reader', reason: { message: 'a other error' } },
      degraded: { by: 'unchecked' },
    });
  });

  it('that cannot be made leave the operation its own error, and its event', async () => {
    const { made, script } = bench();
    script.request = failing('connection');
    script.lastGood = failing('other', 'broken port');
    await expect(made.lsp.request('hover', {})).rejects.toThrow('a connection error');
    expect(await made.auditLog()).toMatchObject([{ status: 'failure', action: 'lsp_operation' }]);
  });
});

describe('the audit log', () => {
  it('holds the full flow, with status, attempts and actor', async () => {
    const it = bench();
    const { made, script } = it;
    let asked = 0;
    script.fetch = () => (++asked === 1 ? failing('connection')() : { version: '1.0.0' });
    await it.clock.runUntil(made.registry.fetchPackage('std', '^1', { actor: 'ada' }));
    script.generate = failing('unsupported');
    await made.ast.generateCode('p', 'main.pc').catch(() => {});
    expect(await made.auditLog()).toMatchObject([
      {
        action: 'fetch_package',
        resource: 'std@^1',
        status: 'success',
        details: { attempts: 2 },
        actor: { id: 'ada' },
      },
      {
        action: 'ast_codegen',
        resource: 'main.pc',
        status: 'failure',
        details: { attempts: 1 },
        error: { message: 'a unsupported error' },
      },
    ]);
    expect(await made.auditLog({ limit: 0 })).toEqual([]);
    expect(made.errors()).toMatchObject([{ category: 'internal', severity: 'high' }]);
  });

  it('that refuses fails the operation, well or not', async () => {
    const full = Object.assign(new Error('disk full'), { code: 'ENOSPC' });
    const audit = auditLog({
      sinks: [
        {
          name: 'disk',
          durable: true,
          open: () => Promise.reject(full),
          write: () => Promise.reject(full),
          close: async () => {},
        },
      ],
      whenUnavailable: 'refuse',
    });
    const { made, script } = bench({ audit });
    await expect(made.ast.generateCode('p')).rejects.toBeInstanceOf(AuditUnavailableError);
    script.generate = failing('other');
    await expect(made.ast.generateCode('p')).rejects.toMatchObject({
      code: 'AUDIT_UNAVAILABLE',
      cause: full,
      outcome: { ok: false, error: { message: 'a other error' } },
    });
  });

  it('that was given stays open at shutdown', async () => {
    const audit = auditLog({ sinks: [memorySink()] });
    const { made } = bench({ audit });
    await made.ast.generateCode('p');
    await made.shutdown();
    expect(
      await audit.append({ eventType: 'x', action: 'y', resource: 'z', status: 'ok' }),
    ).toMatchObject({ sequence: 2 });
    await audit.close();
  });
});

describe('a caller', () => {
  it('who gives up gets his own reason back', async () => {
    const { made, script, ended } = bench();
    const controller = new AbortController();
    script.generate = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    const running = made.ast.generateCode('p', 'p', { signal: controller.signal });
    const reason = { changed: 'mind' };
    controller.abort(reason);
    await expect(running).rejects.toBe(reason);
    expect(ended).toMatchObject([{ status: 'aborted' }]);
    expect(await made.auditLog()).toMatchObject([{ status: 'aborted' }]);
    expect(made.errorStats().total).toBe(0);
  });

  it('is not harmed by a listener that throws', async () => {
    const { made } = bench();
    const said: unknown[][] = [];
    const say = (...all: unknown[]): void => void said.push(all);
    diag.setLogger({ error: say, warn: say, info: () => {}, debug: () => {}, verbose: () => {} });
    made.onOperation(failing('other', 'broken listener'));
    expect(await made.ast.generateCode('p')).toEqual({ value: 'int main;' });
    diag.disable();
    expect(said.flat().map(String).join(' ')).toContain('broken listener');
  });
});

describe('health', () => {
  it.each([
    ['generate', 'ast_integration', 'unhealthy'],
    ['infer', 'ast_integration', 'unhealthy'],
    ['registryProbe', 'registry', 'degraded'],
    ['lspProbe', 'lsp', 'unhealthy'],
  ] as const)('asks %s: a failure of %s is %s', async (key, check, status) => {
    const { made, script, calls } = bench();
    script[key] = failing('other');
    const summary = await made.health();
    expect(calls[key]).toBe(1);
    expect(summary.status).toBe(status);
    const others = Object.values(summary.checks).filter(({ name }) => name !== check);
    expect(summary.checks[check]?.status).toBe(status);
    expect(others.map((other) => other.status)).toEqual(['healthy', 'healthy']);
  });

  it('refuses names that are taken', () => {
    const health = healthMonitor();
    bench({ health });
    expect(() => bench({ health })).toThrow(/ast_integration/);
    const taken = healthMonitor();
    taken.register({ name: 'lsp', check: () => {} });
    expect(() => bench({ health: taken })).toThrow(/lsp/);
    expect(taken.stats().unknown).toEqual(['lsp']);
  });
});

describe('shutdown', () => {
  it('runs once, however often it is asked', async () => {
    const { made } = bench();
    const [first, second] = await Promise.all([made.shutdown(), made.shutdown()]);
    expect(second).toBe(first);
    expect(await made.shutdown()).toBe(first);
    expect(first).toMatchObject({ outcome: 'completed' });
    expect(first.handlers.filter(({ name }) => name === 'release policies')).toHaveLength(1);
  });
});

describe('a trace', () => {
  let telemetry: InMemoryTelemetry | undefined;
  afterEach(() => telemetry?.close());

  it('shows retry, attempts and breaker, and no error on a call that was saved', async () => {
    telemetry = new InMemoryTelemetry();
    const it = bench();
    let asked = 0;
    it.script.fetch = () => (++asked === 1 ? failing('connection')() : { version: '1.0.0' });
    await fetchIt(it);
    const { spans } = telemetry;
    const root = spans.find(({ name }) => name === 'retry fetch_package');
    const attempts = spans.filter(({ name }) => name === 'attempt');
    const breakers = spans.filter(({ name }) => name === 'breaker registry_fetch');
    const id = (span: (typeof spans)[number] | undefined) => span?.spanContext().spanId;
    expect(new Set(spans.map((span) => span.spanContext().traceId)).size).toBe(1);
    expect(root?.status.code).toBe(0);
    expect(attempts.map((span) => span.status.code)).toEqual([2, 0]);
    expect(attempts.map((span) => span.parentSpanContext?.spanId)).toEqual([id(root), id(root)]);
    expect(breakers.map((span) => span.parentSpanContext?.spanId)).toEqual(attempts.map(id));
    expect(
      await telemetry.value('temper.retry.operations', {
        'temper.policy.name': 'fetch_package',
        'temper.outcome': 'recovered',
      }),
    ).toBeGreaterThanOrEqual(1);
  });
});
