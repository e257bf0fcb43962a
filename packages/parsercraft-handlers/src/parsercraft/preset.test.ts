import { diag } from '@opentelemetry/api';
import { AuditUnavailableError, auditLog } from '@temper/audit';
import { memorySink } from '@temper/audit/memory';
import { healthMonitor } from '@temper/health';
import { retryDetails } from '@temper/retry';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { describe, expect, it } from 'vitest';
import { failing, fakeSubsystems, type Hardened, hardened } from '../../test/subsystems.ts';
import { type ParserCraftHardening, parserCraftHardening } from '../index.ts';

const fetchIt = ({ made, clock }: Hardened) =>
  clock.runUntil(made.registry.fetchPackage('std', '^1').catch((error: unknown) => error));

describe('the breakers', () => {
  it.each([
    ['ast_codegen', 10, 60_000],
    ['protocol_check', 15, 60_000],
    ['registry_fetch', 5, 120_000],
    ['lsp_operation', 5, 10_000],
  ] as const)('%s opens after %i failures, for %i ms', async (name, failures, openMs) => {
    const it = hardened({ settings: { plans: { fetch_package: { maxAttempts: 1 } } } });
    const { script, calls, made, clock } = it;
    const [call, key] = {
      ast_codegen: [() => made.ast.generateCode('p'), 'generate'],
      protocol_check: [() => made.protocols.check('p'), 'check'],
      registry_fetch: [() => made.registry.fetchPackage('a', '*'), 'fetch'],
      lsp_operation: [() => made.lsp.request('hover', {}), 'request'],
    }[name] as [() => Promise<unknown>, 'generate' | 'check' | 'fetch' | 'request'];
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
    script[key] = () => 'recovered';
    await call();
    await call();
    expect(breaker.state).toBe('closed');
  });

  it('are not opened by invalid programs, which are not retried', async () => {
    const { script, made, calls } = hardened();
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

  it.each([
    ['generate', TypeError, 'ast_codegen', 10, 'critical'],
    ['generate', RangeError, 'ast_codegen', 10, 'critical'],
    ['check', TypeError, 'protocol_check', 15, 'medium'],
    ['fetch', RangeError, 'registry_fetch', 5, 'high'],
  ] as const)(
    'count a bug of %s, such as a %o, against its subsystem',
    async (key, Bug, name, failures, severity) => {
      const { script, made, calls } = hardened();
      const call = () =>
        ({
          generate: () => made.ast.generateCode('p'),
          check: () => made.protocols.check('p'),
          fetch: () => made.registry.fetchPackage('a', '*'),
        })
          [key]()
          .catch(() => {});
      script[key] = () => {
        throw Object.assign(new Bug('a wrong program'), { kind: 'invalid' });
      };
      for (let i = 0; i < failures; i++) await call();
      expect(made.policies.breakers[name].state).toBe('closed');
      script[key] = () => {
        throw new Bug('undefined is not a function');
      };
      for (let i = 0; i < failures; i++) await call();
      expect(made.policies.breakers[name].state).toBe('open');
      expect(calls[key]).toBe(2 * failures); // bugs are not retried
      expect(made.errors().at(-1)).toMatchObject({ category: 'internal', severity });
    },
  );

  it('end the retries when they open', async () => {
    const it = hardened({ settings: { breakers: { registry_fetch: { failureThreshold: 2 } } } });
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
    '%s allows %i calls, refuses the next, and refills in 60 s',
    async (_, limit, call) => {
      const { made, clock, ended, script } = hardened();
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
  it('is tried three times, 100 ms and 200 ms apart, with 20 % jitter', async () => {
    const it = hardened();
    const at: number[] = [];
    const thrown: Error[] = [];
    it.script.fetch = () => {
      at.push(it.clock.monotonic());
      thrown.push(Object.assign(new Error(`attempt ${at.length}`), { kind: 'connection' }));
      throw thrown.at(-1);
    };
    const error = await fetchIt(it);
    expect(error).toBe(thrown[2]); // the last error itself, unchanged
    expect(retryDetails(error)).toMatchObject({
      policy: 'fetch_package',
      attempts: 3,
      reason: 'attempts',
    });
    expect(retryDetails(error)?.errors).toEqual(thrown);
    expect(it.ended).toMatchObject([{ status: 'failure', attempts: 3, error }]);
    const [first = 0, second = 0, third = 0] = at;
    expect(at).toHaveLength(3);
    expect(Math.abs(second - first - 100)).toBeLessThanOrEqual(20);
    expect(Math.abs(third - second - 200)).toBeLessThanOrEqual(40);
    expect(it.made.errorStats()).toMatchObject({ total: 1, byCategory: { network: 1 } });
  });

  it('is aborted after 5 s in all', async () => {
    const it = hardened();
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

  it('treats a value that isFailure selects as an error', async () => {
    const it = hardened();
    const error = Object.assign(new Error('down'), { code: 'ECONNREFUSED' });
    it.script.fetch = () => ({ ok: false, error });
    expect(await fetchIt(it)).toBe(error);
    expect(retryDetails(error)).toMatchObject({ attempts: 3 });
    expect(it.calls.fetch).toBe(3);
  });

  it('returns a stale package with its age while the registry is unavailable', async () => {
    const it = hardened();
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
    ['request', (m: ParserCraftHardening) => m.lsp.request('hover', {}), 'lsp_operation'],
  ] as const)('times out after 5 s: %s', async (key, call, breaker) => {
    const { made, clock, script, ended } = hardened();
    script[key] = () => new Promise(() => {});
    const start = clock.monotonic();
    await clock.runUntil(call(made).catch((error: unknown) => error));
    expect(clock.monotonic() - start).toBe(5000);
    expect(ended).toMatchObject([{ attempts: 1, durationMs: 5000 }]);
    for (let i = 1; i < 15; i++) await clock.runUntil(call(made).catch(() => {}));
    expect(made.policies.breakers[breaker].state).toBe('open');
  });
});

describe('degraded answers', () => {
  it('are given at once while the circuit of a language server that hangs is open', async () => {
    const { made, script, calls, clock } = hardened();
    script.request = () => new Promise(() => {});
    script.lastGood = () => 'older';
    const older = { value: 'older', degraded: { by: 'last-good' } };
    const ask = () => clock.runUntil(made.lsp.request('hover', {}));
    for (let i = 0; i < 5; i++) expect(await ask()).toMatchObject(older);
    const startedAt = clock.monotonic();
    for (let i = 0; i < 20; i++) expect(await ask()).toMatchObject(older);
    expect(clock.monotonic()).toBe(startedAt);
    expect(calls.request).toBe(5);
  });

  it('are the last good answer of the language server, and the unchecked report', async () => {
    const { made, script } = hardened();
    script.request = failing('connection');
    script.check = failing('other');
    await expect(made.lsp.request('hover', {})).rejects.toThrow('a connection error');
    script.lastGood = async () => 'older';
    expect(await made.lsp.request('hover', {})).toMatchObject({
      value: 'older',
      degraded: { by: 'last-good' },
    });
    expect(await made.protocols.check('Reader')).toMatchObject({
      value: { unchecked: 'Reader', reason: { message: 'a other error' } },
      degraded: { by: 'unchecked' },
    });
  });

  it.each<[string, () => unknown]>([
    ['throws', failing('other', 'broken port')],
    ['never answers', () => new Promise(() => {})],
    ['rejects', async () => failing('other', 'broken port')()],
  ])('leave the operation its own error and its event when the port %s', async (_, port) => {
    const { made, script, clock } = hardened();
    script.request = failing('connection');
    script.lastGood = port;
    script.check = failing('other');
    script.unchecked = port;
    const startedAt = clock.monotonic();
    const ends = (call: Promise<unknown>): Promise<unknown> =>
      clock.runUntil(call.catch((error: Error) => error.message));
    expect(await ends(made.lsp.request('hover', {}))).toBe('a connection error');
    expect(await ends(made.protocols.check('Reader'))).toBe('a other error');
    // A degraded answer gets as long as an attempt.
    expect(clock.monotonic() - startedAt).toBeLessThanOrEqual(10_000);
    expect(await made.auditLog()).toMatchObject([
      { status: 'failure', action: 'lsp_operation' },
      { status: 'failure', action: 'check_protocol' },
    ]);
  });

  it.each<[string, () => unknown]>([
    ['throws', failing('other', 'broken predicate')],
    ['returns a promise', async () => true],
    ['rejects', async () => failing('other', 'broken predicate')()],
  ])('are not asked for when isFailure %s: the value counts as an answer', async (_, isFailure) => {
    const { made, script } = hardened();
    script.isFailure = isFailure;
    expect(await made.registry.fetchPackage('std', '^1')).toEqual({ value: { version: '1.0.0' } });
  });
});

describe('the audit log', () => {
  it('records each operation with status, attempts and actor', async () => {
    const it = hardened();
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

  it('that refuses fails the operation, whether it succeeded or failed', async () => {
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
    const { made, script } = hardened({ audit });
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
    const { made } = hardened({ audit });
    await made.ast.generateCode('p');
    await made.shutdown();
    expect(
      await audit.append({ eventType: 'x', action: 'y', resource: 'z', status: 'ok' }),
    ).toMatchObject({ sequence: 2 });
    await audit.close();
  });
});

describe('a listener', () => {
  it('that throws is logged and does not affect the operation', async () => {
    const { made } = hardened();
    const logged: unknown[][] = [];
    const log = (...all: unknown[]): void => void logged.push(all);
    diag.setLogger({ error: log, warn: log, info: () => {}, debug: () => {}, verbose: () => {} });
    made.onOperation(failing('other', 'broken listener'));
    expect(await made.ast.generateCode('p')).toEqual({ value: 'int main;' });
    diag.disable();
    expect(logged.flat().map(String).join(' ')).toContain('broken listener');
  });
});

describe('health', () => {
  it.each([
    ['generate', 'ast_integration', 'unhealthy'],
    ['infer', 'ast_integration', 'unhealthy'],
    ['registryProbe', 'registry', 'degraded'],
    ['check', 'protocols', 'degraded'],
    ['lspProbe', 'lsp', 'unhealthy'],
  ] as const)('calls %s: a failure of %s is %s', async (key, check, status) => {
    const { made, script, calls } = hardened();
    script[key] = failing('other');
    const summary = await made.health();
    expect(calls[key]).toBe(1);
    expect(summary.status).toBe(status);
    const others = Object.values(summary.checks).filter(({ name }) => name !== check);
    expect(summary.checks[check]?.status).toBe(status);
    expect(others.map((other) => other.status)).toEqual(['healthy', 'healthy', 'healthy']);
  });

  it('refuses names that are taken', () => {
    const health = healthMonitor();
    hardened({ health });
    expect(() => hardened({ health })).toThrow(/ast_integration/);
    const taken = healthMonitor();
    taken.register({ name: 'lsp', check: () => {} });
    expect(() => hardened({ health: taken })).toThrow(/lsp/);
    expect(taken.stats().unknown).toEqual(['lsp']);
  });
});

describe('shutdown', () => {
  it('runs once, however often it is called', async () => {
    const { made } = hardened();
    const [first, second] = await Promise.all([made.shutdown(), made.shutdown()]);
    expect(second).toBe(first);
    expect(await made.shutdown()).toBe(first);
    expect(first).toMatchObject({ outcome: 'completed' });
    expect(first.handlers.filter(({ name }) => name === 'release policies')).toHaveLength(1);
  });
});

describe('the ports', () => {
  const MEMBERS = {
    ast: ['generateCode', 'inferTypes', 'probe'],
    protocols: ['check', 'probe'],
    registry: ['fetchPackage', 'probe'],
    lsp: ['request', 'probe'],
  };
  const OPTIONAL: [string, string][] = [
    ['protocols', 'unchecked'],
    ['registry', 'isFailure'],
    ['registry', 'errorOf'],
    ['registry', 'isPublic'],
    ['lsp', 'lastGood'],
  ];
  const withMember = (port: string, member: string, value: unknown) => {
    const { subsystems } = fakeSubsystems();
    const changed = { ...subsystems[port as 'ast'], [member]: value };
    return () => parserCraftHardening({ ...subsystems, [port]: changed });
  };

  it.each(Object.entries(MEMBERS))('have all their members: %s', (port, members) => {
    for (const member of members) {
      const path = `parserCraftHardening.${port}: ${member} `;
      expect(withMember(port, member, undefined)).toThrow(path);
    }
    const { subsystems } = fakeSubsystems();
    for (const missing of [undefined, null, 7, []]) {
      expect(() => parserCraftHardening({ ...subsystems, [port]: missing as never })).toThrow(port);
    }
  });

  it.each(OPTIONAL)('have members of the right type: %s.%s', (port, member) => {
    for (const wrong of [null, 7, 'x']) {
      const path = `parserCraftHardening.${port}: ${member} must be`;
      expect(withMember(port, member, wrong)).toThrow(path);
    }
    expect(withMember(port, member, undefined)).not.toThrow();
  });

  it('have no misspelt members, unless they are instances of a class', async () => {
    expect(withMember('lsp', 'lastgood', () => 1)).toThrow(
      "parserCraftHardening.lsp: unknown option 'lastgood'",
    );
    const { subsystems } = fakeSubsystems();
    expect(() => parserCraftHardening({ ...subsystems, lps: {} } as never)).toThrow("'lps'");
    class Server {
      readonly pid = 1;
      request(): string {
        return `answer of ${this.pid}`;
      }
      probe(): void {}
    }
    const made = parserCraftHardening({ ...subsystems, lsp: new Server() });
    expect(await made.lsp.request('hover', {})).toEqual({ value: 'answer of 1' });
  });
});

it.each([
  ['name', ''],
  ['clock', {}],
  ['random', 7],
  ['audit', null],
  ['health', {}],
])('an invalid option is refused with its path: %s', (option, value) => {
  expect(() => hardened({ [option]: value } as never)).toThrow(`parserCraftHardening: ${option}`);
});

describe('plans of methods', () => {
  it('give a method of the language server its own times and retries', async () => {
    const it = hardened({
      settings: {
        plans: { lsp_operation: { timeoutMs: 4000 } },
        methods: {
          'textDocument/completion': { attemptTimeoutMs: 300 },
          'workspace/symbol': { maxAttempts: 3, retryDelayMs: 10 },
        },
      },
    });
    const took = async (method: string): Promise<[number, number]> => {
      const [start, calls] = [it.clock.monotonic(), it.calls.request];
      await it.clock.runUntil(it.made.lsp.request(method, {}).catch(() => {}));
      return [it.clock.monotonic() - start, it.calls.request - calls];
    };
    it.script.request = () => new Promise(() => {});
    expect(await took('textDocument/completion')).toEqual([300, 1]);
    expect(await took('textDocument/hover')).toEqual([4000, 1]);
    it.script.request = failing('connection');
    expect((await took('workspace/symbol'))[1]).toBe(3);
    expect(it.made.settings.methods['textDocument/completion']).toEqual({
      maxAttempts: 1,
      retryDelayMs: 100,
      timeoutMs: 4000,
      attemptTimeoutMs: 300,
    });
  });

  it.each([
    [{ 'a/b': { timeout: 1 } }, "parserCraftHardening.methods.a/b: unknown option 'timeout'"],
    [{ 'a/b': { timeoutMs: 0 } }, 'parserCraftHardening.methods.a/b: timeoutMs must be'],
    [{ 'a/b': null }, 'parserCraftHardening.methods.a/b: settings must be'],
    [null, 'parserCraftHardening.methods: '],
    [[], 'parserCraftHardening.methods: '],
  ])('are checked: %o', (methods, message) => {
    expect(() => hardened({ settings: { methods: methods as never } })).toThrow(message);
  });
});

describe('several ParserCrafts in one process', () => {
  it('have their own series and errors', async () => {
    const telemetry = new InMemoryTelemetry();
    const [plain, east, west] = [undefined, 'east', 'west'].map((name) =>
      hardened(name === undefined ? {} : { name }),
    ) as [Hardened, Hardened, Hardened];
    const names = ['registry_fetch', 'east.registry_fetch', 'west.registry_fetch'];
    const failures = [1, 2, 4];
    const count = (i: number): Promise<unknown> =>
      telemetry.value('temper.breaker.calls', {
        'temper.policy.name': names[i] ?? '',
        'temper.outcome': 'failure',
      });
    // Policies of one name are one series, that of all tests of this file.
    const before = Number((await count(0)) ?? 0);
    for (const [i, it] of [plain, east, west].entries()) {
      it.script.fetch = failing('other');
      for (let n = 0; n < (failures[i] ?? 0); n++) await fetchIt(it);
    }
    for (const [i, it] of [plain, east, west].entries()) {
      expect(await count(i)).toBe((failures[i] ?? 0) + (i === 0 ? before : 0));
      expect(it.made.policies.breakers.registry_fetch.name).toBe(names[i]);
      expect(it.made.errorStats()).toMatchObject({
        total: failures[i],
        breakers: { registry_fetch: { calls: { failure: failures[i] } }, ast_codegen: {} },
        limiters: { registry_query: { allowed: failures[i] }, lsp_requests: { allowed: 0 } },
        bulkheads: { registry: { inFlight: 0 } },
      });
    }
    await telemetry.close();
  });
});

describe('recoveries', () => {
  it('are the recovery manager of the report', async () => {
    const it = hardened();
    let asked = 0;
    it.script.fetch = () => (++asked === 1 ? failing('connection')() : { version: '1.0.0' });
    const { recoveries } = it.made;
    expect(await it.clock.runUntil(recoveries.execute('fetch_package', 'std', '^1'))).toEqual({
      ok: true,
      value: { version: '1.0.0' },
    });
    it.script.check = failing('other');
    expect(await recoveries.execute('check_protocol', 'Reader', 'reader.pc')).toMatchObject({
      ok: false,
      error: { message: 'a other error' },
      degraded: { unchecked: 'Reader' },
    });
    expect(recoveries.history()).toMatchObject([
      {
        operation: 'fetch_package',
        strategy: 'retry+circuit_break+graceful_degrade',
        outcome: 'recovered',
        attempts: 2,
      },
      { operation: 'check_protocol', outcome: 'degraded' },
    ]);
    expect(recoveries.history({ limit: 1 })).toHaveLength(1);
  });
});
