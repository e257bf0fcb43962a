import { mkdtempSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type AuditLog, auditLog } from '@temper/audit';
import { memorySink } from '@temper/audit/memory';
import { fileCursor, httpCollector, ship } from '@temper/audit/ship';
import type { AuditSink } from '@temper/audit/sink';
import { circuitBreaker } from '@temper/breaker';
import type { Policy } from '@temper/core';
import { predictFailure } from '@temper/forecast';
import { healthMonitor, processMetrics } from '@temper/health';
import { tokenBucket } from '@temper/ratelimit';
import { sharedRateLimit } from '@temper/ratelimit/shared';
import { redisStore } from '@temper/redis';
import { retry, retryBudget } from '@temper/retry';
import { gracefulShutdown } from '@temper/shutdown';
import { Redis } from 'ioredis';

/** A service under its usual load, whose dependency can break. */
export interface Service {
  fault(): unknown;
  calm(): unknown;
}

/** Time between two calls of the usual load, in milliseconds: 200 calls in the scaled five minutes. */
const PACE_MS = 50;

/** Calls again and again, without waiting for the last one. */
function load(call: (turn: number) => unknown, everyMs = PACE_MS): void {
  let turn = 0;
  setInterval(() => {
    Promise.resolve(call(turn++)).catch(() => undefined);
  }, everyMs);
}

const refused = (): Error => Object.assign(new Error('connect refused'), { code: 'ECONNREFUSED' });

/** Calls of which every n-th fails while the fault lasts. */
function failing(policy: Policy, every: number): Service {
  let broken = false;
  load((turn) =>
    policy.execute(() => {
      if (broken && turn % every === 0) throw refused();
    }),
  );
  return {
    fault: () => {
      broken = true;
    },
    calm: () => {
      broken = false;
    },
  };
}

/** A circuit that opens with three failures and stays open until an operator closes it. */
function openCircuit(): Service {
  const breaker = circuitBreaker({
    name: 'payments',
    failureThreshold: 3,
    openDurationMs: 600_000,
  });
  const refuse = () =>
    breaker.tryExecute(() => {
      throw refused();
    });
  return {
    fault: async () => {
      for (let call = 0; call < 3; call++) await refuse();
    },
    calm: () => breaker.reset(),
  };
}

/** A check that is probed as often as the fault can be seen. */
function unhealthyCheck(): Service {
  let broken = false;
  const monitor = healthMonitor({ name: 'shop', refreshMs: 200, ttlMs: 0 });
  monitor.register({ name: 'database', check: () => !broken });
  monitor.start();
  return {
    fault: () => {
      broken = true;
    },
    calm: () => {
      broken = false;
    },
  };
}

/** A sink in memory that counts as durable, and of which every write can fail as on a full disk. */
function fillable(): { readonly sink: AuditSink; fill(full: boolean): void } {
  const memory = memorySink();
  let full = false;
  return {
    sink: {
      name: 'disk',
      durable: true,
      open: (log) => memory.open(log),
      write: (batch) =>
        full
          ? Promise.reject(Object.assign(new Error('no space left'), { code: 'ENOSPC' }))
          : memory.write(batch),
      close: () => memory.close(),
    },
    fill: (to) => {
      full = to;
    },
  };
}

const EVENT = { eventType: 'sale', action: 'sell', resource: 'book', status: 'success' } as const;

async function auditWithFullDisk(whenUnavailable: 'refuse' | 'degrade'): Promise<Service> {
  const disk = fillable();
  const log = auditLog({ name: 'sales', sinks: [disk.sink], whenUnavailable });
  await log.ready();
  load(() => log.append(EVENT));
  return { fault: () => disk.fill(true), calm: () => disk.fill(false) };
}

/** A collector of audit events that can be gone. */
class Collector {
  #server: Server | undefined;
  port = 0;

  async open(): Promise<void> {
    const server = createServer((request, response) => {
      request.resume().on('end', () => response.end('{"text":"Success","code":0}'));
    });
    await new Promise<void>((resolve) => server.listen(this.port, '127.0.0.1', resolve));
    this.port = (server.address() as { port: number }).port;
    this.#server = server;
  }

  close(): void {
    this.#server?.close();
    this.#server?.closeAllConnections();
  }
}

async function shippedAudit(): Promise<Service> {
  const collector = new Collector();
  await collector.open();
  const log: AuditLog = auditLog({ name: 'sales', sinks: [memorySink()] });
  const target = httpCollector({
    url: `http://127.0.0.1:${collector.port}`,
    token: 'T',
    name: 'collector',
  });
  const path = join(mkdtempSync(join(tmpdir(), 'temper-fleet-')), 'cursor');
  ship(log, target, { cursor: fileCursor({ path }), pollMs: 100, retryMs: 300, maxRetryMs: 600 });
  load(() => log.append(EVENT), 500);
  return { fault: () => collector.close(), calm: () => collector.open() };
}

/** A shutdown that hangs until the fault ends, or one of which a handler fails at once. */
function stopping(handler: 'hangs' | 'fails'): Service {
  let release: () => void = () => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const shutdown = gracefulShutdown({
    name: 'shop',
    exit: false,
    delayMs: 0,
    timeoutMs: 600_000,
    handlerTimeoutMs: 600_000,
  });
  shutdown.register({
    name: 'queue',
    run: () => (handler === 'hangs' ? held : Promise.reject(new Error('the queue is locked'))),
  });
  return {
    fault: () => {
      shutdown.shutdown();
    },
    calm: release,
  };
}

/** A process that uses up memory, CPU and its event loop. */
function busyProcess(): Service {
  processMetrics();
  const holdMemory = `
    const { workerData } = require('node:worker_threads');
    globalThis.held = Buffer.alloc(workerData, 1);
    setInterval(() => undefined, 1000);`;
  let holder: Worker | undefined;
  let busy = false;
  const spin = (): void => {
    const until = performance.now() + 50;
    while (performance.now() < until) Math.sqrt(Math.random());
    if (busy) setImmediate(spin);
  };
  return {
    fault: () => {
      holder = new Worker(holdMemory, { eval: true, workerData: HELD_BYTES });
      busy = true;
      setImmediate(spin);
    },
    calm: async () => {
      busy = false;
      await holder?.terminate();
    },
  };
}

/** What the busy process holds beyond its usual, in bytes. */
export const HELD_BYTES = 300 * 2 ** 20;

/** Every kind of service by its name. */
export const KINDS = {
  circuit: openCircuit,
  flapping: () => {
    const breaker = circuitBreaker({
      name: 'payments',
      failureThreshold: 1,
      successThreshold: 1,
      openDurationMs: 100,
    });
    const call = (fails: boolean) =>
      breaker.tryExecute(() => {
        if (fails) throw refused();
      });
    let broken = false;
    // Too few calls for a rate of errors, and closed nearly all the time.
    load(async () => {
      await call(broken);
      setTimeout(() => call(false), 300);
    }, 2_000);
    return {
      fault: () => {
        broken = true;
      },
      calm: () => {
        broken = false;
      },
    };
  },
  burning: () => failing(tolerant(), 2),
  outage: () =>
    failing(circuitBreaker({ name: 'payments', failureThreshold: 3, openDurationMs: 500 }), 1),
  // Below 14.4 times the budget, above 6 times.
  smouldering: () => failing(tolerant(), 7),
  exhausted: () => failing(retry({ name: 'payments', maxAttempts: 2, initialDelayMs: 1 }), 4),
  budget: () => {
    // It has no retries for anything: they are spent with the first failure.
    const budget = retryBudget({ name: 'payments_budget', ratio: 0.001, burst: 0 });
    return failing(retry({ name: 'payments', budget, initialDelayMs: 1 }), 25);
  },
  slow: () => {
    const breaker = circuitBreaker({ name: 'search' });
    let durationMs = 0;
    load(() => breaker.execute(() => new Promise((resolve) => setTimeout(resolve, durationMs))));
    return {
      fault: () => {
        durationMs = SLOW_MS;
      },
      calm: () => {
        durationMs = 0;
      },
    };
  },
  limited: () => {
    const limiter = tokenBucket({ name: 'clients', limit: 40, windowMs: 1_000 });
    let clients = 1;
    load(() => {
      for (let client = 0; client < clients; client++) limiter.tryAcquire();
    });
    return {
      fault: () => {
        clients = 10;
      },
      calm: () => {
        clients = 1;
      },
    };
  },
  store: () => {
    const client = new Redis(process.env.FLEET_STORE ?? '', {
      enableOfflineQueue: false,
      maxRetriesPerRequest: 0,
      retryStrategy: () => 200,
    });
    client.on('error', () => undefined); // it reconnects
    const limiter = sharedRateLimit({
      name: 'clients',
      store: redisStore({ client }),
      limit: 10_000,
    });
    load(() => limiter.tryAcquire());
    // The parent stops the store.
    return { fault: () => undefined, calm: () => undefined };
  },
  forecast: () => {
    const outlook = predictFailure({ name: 'payments', stepMs: 100 });
    return failing(outlook, 1);
  },
  check: unhealthyCheck,
  crowd: () => {
    const parts = [openCircuit(), unhealthyCheck()];
    return {
      fault: () => Promise.all(parts.map((part) => part.fault())),
      calm: () => Promise.all(parts.map((part) => part.calm())),
    };
  },
  hanging: () => stopping('hangs'),
  locked: () => stopping('fails'),
  gone: () => failing(tolerant(), 1),
  busy: busyProcess,
  refusing: () => auditWithFullDisk('refuse'),
  holding: () => auditWithFullDisk('degrade'),
  shipping: shippedAudit,
} satisfies Record<string, () => Service | Promise<Service>>;

export type Kind = keyof typeof KINDS;

/** Duration of the calls of the slow service during its fault. */
export const SLOW_MS = 300;

/** A breaker that counts calls and does not open. */
function tolerant(): Policy {
  return circuitBreaker({ name: 'payments', failureThreshold: 1_000_000 });
}
