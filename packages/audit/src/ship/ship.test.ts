import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { logs } from '@opentelemetry/api';
import { Call } from '@temper/core/policy';
import { ManualClock, settle } from '@temper/testkit';
import { InMemoryTelemetry } from '@temper/testkit/repository';
import { afterEach, describe, expect, it } from 'vitest';
import { ScriptedSink } from '../../test/scripted-sink.ts';
import { type TemporaryDirectory, temporaryDirectory } from '../../test/temporary-directory.ts';
import { listening } from '../../test/witnessed.ts';
import { checkLine } from '../chain/hash-chain.ts';
import type { AuditLog } from '../log/audit-log.ts';
import { auditLog } from '../log/durable-log.ts';
import { fileSink } from '../sinks/file/file-sink.ts';
import { fileCursor } from './cursor.ts';
import { httpCollector } from './http-collector.ts';
import { otlpLogs } from './otlp-target.ts';
import { type Shipping, ship } from './ship.ts';
import type { ShipOptions } from './ship-options.ts';
import type { ShippedEvent } from './ship-target.ts';

const event = { eventType: 'o', action: 'a', resource: 'r', status: 's' };

/** A log, and everything that a target gets. */
class Setup implements AsyncDisposable {
  readonly directory: TemporaryDirectory = temporaryDirectory();
  readonly clock = new ManualClock();
  readonly log: AuditLog = auditLog({
    name: 'shipped',
    sinks: [fileSink({ directory: join(this.directory.path, 'log') })],
  });
  readonly batches: (readonly ShippedEvent[])[] = [];
  readonly errors: string[] = [];
  /** What the next sends fail with. */
  failures: Error[] = [];
  readonly #shippings: Shipping[] = [];

  async append(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.log.append(event);
  }

  start(options: Partial<ShipOptions> = {}, log: Parameters<typeof ship>[0] = this.log): Shipping {
    const target = async (batch: readonly ShippedEvent[]): Promise<void> => {
      const failure = this.failures.shift();
      if (failure !== undefined) throw failure;
      this.batches.push(batch);
    };
    const shipping = ship(log, target, {
      cursor: fileCursor({ path: join(this.directory.path, 'cursor') }),
      clock: this.clock,
      onError: ({ reason }) => this.errors.push(reason),
      ...options,
    });
    this.#shippings.push(shipping);
    return shipping;
  }

  get sequences(): number[] {
    return this.batches.flatMap((batch) => batch.map((shipped) => shipped.event.sequence));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const shipping of this.#shippings) await shipping.close();
    await this.log.close().catch(() => undefined);
    this.directory[Symbol.dispose]();
  }
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

describe('ship', () => {
  it('sends every event once and in order, in batches, as lines that verify', async () => {
    await using setup = new Setup();
    await setup.append(25);
    const shipping = setup.start({ batchEvents: 10 });
    await shipping.flush();
    expect(setup.batches.map((batch) => batch.length)).toEqual([10, 10, 5]);
    await setup.append(3);
    await shipping.flush();
    await shipping.flush();
    expect(setup.sequences).toEqual(range(1, 28));
    for (const { line } of setup.batches.flat()) expect(checkLine(line).fault).toBeUndefined();
    expect(shipping.stats()).toEqual({ shipped: 28, lag: 0, errors: 0, stopped: undefined });
  });

  it('sends a batch when its lines are large enough', async () => {
    await using setup = new Setup();
    await setup.append(10);
    await setup.start({ batchBytes: 1 }).flush();
    expect(setup.batches.map((batch) => batch.length)).toEqual(Array(10).fill(1));
  });

  it('looks at the log again after the polling interval', async () => {
    await using setup = new Setup();
    await setup.append(1);
    const shipping = setup.start({ pollMs: 500 });
    await shipping.flush();
    await setup.append(1);
    await settle();
    expect(setup.sequences).toEqual([1]);
    while (setup.sequences.length < 2) await setup.clock.advance(500);
    expect(setup.sequences).toEqual([1, 2]);
  });

  it('goes on after a restart with the event after the last stored one', async () => {
    await using setup = new Setup();
    await setup.append(5);
    const first = setup.start();
    await first.flush();
    await first.close();
    await setup.append(5);
    await setup.start().flush();
    expect(setup.sequences).toEqual(range(1, 10));
  });

  it('sends a batch again until the target stores it, later each time', async () => {
    await using setup = new Setup();
    await setup.append(3);
    setup.failures = [new Error('down'), new Error('down'), new Error('down')];
    const shipping = setup.start({ retryMs: 100, maxRetryMs: 200 });
    await expect(shipping.flush()).rejects.toMatchObject({ reason: 'target', code: 'AUDIT_SHIP' });
    expect(shipping.stats()).toMatchObject({ shipped: 0, lag: 3, errors: 1 });
    for (const [ms, failed] of [
      [100, 2],
      [200, 3],
    ] as const) {
      await setup.clock.advance(ms - 1);
      await settle();
      expect(setup.errors).toHaveLength(failed - 1);
      await setup.clock.advance(1);
      while (setup.errors.length < failed) await settle();
    }
    await setup.clock.advance(200); // not 400
    while (setup.sequences.length === 0) await settle();
    expect(setup.sequences).toEqual([1, 2, 3]);
    expect(setup.errors).toEqual(['target', 'target', 'target']);
  });

  it('does not wait for a target beyond its time, aborts it, and sends the batch again', async () => {
    await using setup = new Setup();
    await setup.append(2);
    const signals: AbortSignal[] = [];
    let hang = true;
    let began = (): void => undefined;
    const sending = new Promise<void>((resolve) => {
      began = resolve;
    });
    const target = {
      name: 't',
      send: async (batch: readonly ShippedEvent[], signal: AbortSignal): Promise<void> => {
        signals.push(signal);
        began();
        if (hang) await new Promise(() => undefined);
        setup.batches.push(batch);
      },
    };
    await using shipping = ship(setup.log, target, {
      cursor: fileCursor({ path: join(setup.directory.path, 'c') }),
      clock: setup.clock,
      timeoutMs: 1_000,
    });
    const failed = expect(shipping.flush()).rejects.toMatchObject({ reason: 'target' });
    await sending;
    await setup.clock.advance(1_000);
    await failed;
    expect(signals[0]?.aborted).toBe(true);
    // A policy that the target gives the signal to must know that.
    expect(new Call(1, undefined, undefined, signals[0]).endedBy).toBe('timeout');
    hang = false;
    await shipping.flush();
    expect(setup.sequences).toEqual([1, 2]);
  });

  it('closes while the target hangs', async () => {
    await using setup = new Setup();
    await setup.append(1);
    let aborted: AbortSignal | undefined;
    const hanging = (_: readonly ShippedEvent[], signal: AbortSignal): Promise<void> => {
      aborted = signal;
      return new Promise(() => undefined);
    };
    const shipping = ship(setup.log, hanging, {
      cursor: fileCursor({ path: join(setup.directory.path, 'c') }),
      clock: setup.clock,
    });
    while (aborted === undefined) await settle();
    const flushed = expect(shipping.flush()).rejects.toThrow('closed');
    await shipping.close();
    await flushed;
    expect(aborted.aborted).toBe(true);
    expect(new Call(1, undefined, undefined, aborted).endedBy).toBe('caller');
    await expect(shipping.flush()).rejects.toThrow('closed');
  });

  it('holds one batch in memory, however far the target is behind', async () => {
    await using setup = new Setup();
    await setup.append(50);
    let batch: readonly ShippedEvent[] = [];
    let release = (): void => undefined;
    const slow = async (given: readonly ShippedEvent[]): Promise<void> => {
      batch = given;
      await new Promise<void>((resolve) => {
        release = resolve;
      });
    };
    await using shipping = ship(setup.log, slow, {
      cursor: fileCursor({ path: join(setup.directory.path, 'c') }),
      clock: setup.clock,
      batchEvents: 5,
    });
    while (batch.length === 0) await settle();
    await setup.append(50);
    expect(batch.map((shipped) => shipped.event.sequence)).toEqual(range(1, 5));
    expect(shipping.stats()).toMatchObject({ shipped: 0, lag: 50 });
    release();
  });

  it('says what retention has removed before it was shipped, and goes on after it', async () => {
    using directory = temporaryDirectory();
    await using setup = new Setup();
    const log = auditLog({
      name: 'short',
      sinks: [
        fileSink({
          directory: directory.path,
          maxSegmentBytes: 1_024,
          maxSegments: 2,
          gzip: false,
        }),
      ],
    });
    for (let i = 0; i < 40; i++) await log.append(event);
    await log.close();
    const removed = (await log.source.anchor())?.sequence ?? 0;
    expect(removed).toBeGreaterThan(0);
    const shipping = setup.start({}, log);
    await shipping.flush();
    expect(setup.errors).toEqual(['gap']);
    expect(setup.sequences[0]).toBe(removed + 1);
    expect(shipping.stats()).toMatchObject({ lag: 0, stopped: undefined });
  });

  it.each<[string, number]>([
    ['shorter', 3],
    ['as long', 6],
    ['longer', 9],
  ])('stops when the log was replaced by another one that is %s', async (_, events) => {
    await using setup = new Setup();
    await using other = new Setup();
    await setup.append(6);
    const first = setup.start();
    await first.flush();
    await first.close();
    await other.append(events);
    const shipping = setup.start({}, other.log);
    await expect(shipping.flush()).rejects.toMatchObject({ reason: 'mismatch' });
    expect(shipping.stats().stopped).toMatchObject({ reason: 'mismatch' });
    await expect(shipping.flush()).rejects.toMatchObject({ reason: 'mismatch' });
    expect(setup.sequences).toEqual(range(1, 6));
  });

  it('stops when the log changes its past while it is being shipped', async () => {
    const clock = new ManualClock();
    const sink = new ScriptedSink('a');
    const other = new ScriptedSink('a');
    await using one = auditLog({ name: 'x', sinks: [sink] });
    await using two = auditLog({ name: 'x', sinks: [other] });
    await one.append(event);
    for (let i = 0; i < 2; i++) await two.append(event);
    using directory = temporaryDirectory();
    let { source } = one;
    await using shipping = ship(
      {
        name: 'x',
        get source() {
          return source;
        },
      },
      async function target() {},
      {
        cursor: fileCursor({ path: join(directory.path, 'c') }),
        clock,
      },
    );
    await shipping.flush();
    source = two.source;
    await expect(shipping.flush()).rejects.toMatchObject({ reason: 'mismatch' });
  });

  it('refuses a damaged cursor, and goes on when it is gone or repaired', async () => {
    await using setup = new Setup();
    await setup.append(2);
    const path = join(setup.directory.path, 'cursor');
    for (const text of ['', 'x', '{}', '{"log":"a","sequence":1,"hash":"x"}', 'null']) {
      writeFileSync(path, text);
      const shipping = setup.start();
      await expect(shipping.flush(), text).rejects.toThrow('is damaged');
      await shipping.close();
    }
    const shipping = setup.start();
    await expect(shipping.flush()).rejects.toMatchObject({ reason: 'log' });
    rmSync(path);
    await shipping.flush();
    expect(setup.sequences).toEqual([1, 2]);
  });

  it('sends again what it could not note as stored', async () => {
    await using setup = new Setup();
    await setup.append(2);
    const cursor = fileCursor({ path: join(setup.directory.path, 'c') });
    let full = true;
    const shipping = setup.start({
      cursor: {
        read: () => cursor.read(),
        write: async (value) => {
          if (full) throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
          await cursor.write(value);
        },
      },
    });
    await expect(shipping.flush()).rejects.toMatchObject({ reason: 'log' });
    full = false;
    await shipping.flush();
    expect(setup.sequences).toEqual([1, 2, 1, 2]);
  });

  it('sends no event that the writer has not made durable yet', async () => {
    await using setup = new Setup();
    await setup.append(5);
    const { source } = setup.log;
    let sequence = 3;
    const stats = () => {
      const all = setup.log.stats();
      return { ...all, sinks: all.sinks.map((sink) => ({ ...sink, sequence })) };
    };
    const shipping = setup.start({}, { name: 'x', source, stats });
    await shipping.flush();
    expect(setup.sequences).toEqual([1, 2, 3]);
    expect(shipping.stats()).toMatchObject({ lag: 2 });
    sequence = 5;
    await shipping.flush();
    expect(setup.sequences).toEqual([1, 2, 3, 4, 5]);
  });

  it('is not disturbed by jumps of the wall clock', async () => {
    await using setup = new Setup();
    const shipping = setup.start();
    for (const ms of [-1_700_000_000_000, 250_000_000_000_000, 0]) {
      setup.clock.adjustWallClock(ms);
      await setup.append(1);
      await shipping.flush();
    }
    expect(setup.sequences).toEqual([1, 2, 3]);
  });

  it.each([
    null,
    {},
    { cursor: {} },
    { cursor: fileCursor({ path: 'x' }), batchEvents: 0 },
    { cursor: fileCursor({ path: 'x' }), misspelt: 1 },
  ])('refuses the options %j', async (options) => {
    await using setup = new Setup();
    const named = async function named(): Promise<void> {};
    expect(() => ship(setup.log, named, options as never)).toThrow();
    expect(() => ship(setup.log, {} as never, { cursor: fileCursor({ path: 'x' }) })).toThrow(
      TypeError,
    );
  });
});

describe('telemetry', () => {
  let telemetry: InMemoryTelemetry | undefined;
  afterEach(() => telemetry?.close());

  it('has the lag and the failures by log and target, until shipping is closed', async () => {
    telemetry = new InMemoryTelemetry();
    await using setup = new Setup();
    await setup.append(4);
    setup.failures = [new Error('down')];
    const shipping = setup.start({}, { name: 'observed', source: setup.log.source });
    await shipping.flush().catch(() => undefined);
    const series = { 'temper.policy.name': 'observed', 'temper.audit.target': 'target' };
    expect(await telemetry.value('temper.audit.ship.lag', series)).toBe(4);
    expect(await telemetry.value('temper.audit.ship.errors', series)).toBe(1);
    await shipping.flush();
    expect(await telemetry.value('temper.audit.ship.lag', series)).toBe(0);
  });

  it('carries the events as log records, and a failed export has them sent again', async () => {
    await using setup = new Setup();
    await setup.append(2);
    const cursor = fileCursor({ path: join(setup.directory.path, 'c') });
    const flushed: string[] = [];
    let broken = true;
    const target = otlpLogs({
      log: 'shipped',
      flush: async () => {
        flushed.push('');
        if (broken) throw new Error('collector unavailable');
      },
    });
    await using shipping = ship(setup.log, target, { cursor, clock: setup.clock });
    logs.disable();
    await expect(shipping.flush()).rejects.toThrow('no OpenTelemetry logger provider');
    expect(flushed).toEqual([]);
    telemetry = new InMemoryTelemetry();
    await expect(shipping.flush()).rejects.toThrow('collector unavailable');
    broken = false;
    await shipping.flush();
    const records = telemetry.logs.filter(({ eventName }) => eventName === 'temper.audit.event');
    expect(records.map(({ attributes }) => attributes['temper.audit.sequence'])).toEqual([
      1, 2, 1, 2,
    ]);
    for (const { body } of records) expect(checkLine(body as string).fault).toBeUndefined();
  });
});

describe('httpCollector', () => {
  async function shipped(
    answer: (body: string) => readonly [number, string],
    events = 2,
  ): Promise<{ requests: { body: string; authorization?: string | undefined }[]; error: unknown }> {
    await using setup = new Setup();
    await setup.append(events);
    const requests: { body: string; authorization?: string | undefined }[] = [];
    await using server = await listening((request, response) => {
      let body = '';
      request.on('data', (data) => {
        body += data;
      });
      request.on('end', () => {
        const { authorization } = request.headers;
        requests.push({ body, authorization });
        response.writeHead(...([answer(body)[0]] as [number]));
        response.end(answer(body)[1]);
      });
    });
    const target = httpCollector({
      url: `${server.url}/services/collector/event`,
      token: 'T',
      index: 'audit',
      metadata: { host: 'web-1' },
    });
    await using shipping = ship(setup.log, target, {
      cursor: fileCursor({ path: join(setup.directory.path, 'c') }),
      clock: setup.clock,
    });
    const error = await shipping.flush().catch((reason: unknown) => reason);
    return { requests, error };
  }

  it('sends one JSON object for each event, with the line byte for byte', async () => {
    const { requests, error } = await shipped(() => [200, '{"text":"Success","code":0}']);
    expect(error).toBeUndefined();
    expect(requests).toHaveLength(1);
    expect(requests[0]?.authorization).toBe('Splunk T');
    const lines = requests[0]?.body.split('\n') ?? [];
    expect(lines).toHaveLength(2);
    for (const [i, text] of lines.entries()) {
      const record = JSON.parse(text);
      expect(record).toMatchObject({
        index: 'audit',
        host: 'web-1',
        sourcetype: 'temper:audit',
        source: record.event.log,
        event: { sequence: i + 1 },
      });
      expect(record.time).toBeCloseTo(Date.parse(record.event.timestamp) / 1_000, 3);
      const line = text.slice(text.indexOf('"event":') + 8, text.indexOf(',"sourcetype"'));
      expect(checkLine(line).fault).toBeUndefined();
    }
  });

  it.each([
    [200, '{"text":"Server is busy","code":9}'],
    [200, ''],
    [200, '<html>'],
    [200, 'null'],
    [403, '{"text":"Invalid token","code":4}'],
    [503, '{"text":"Server is busy","code":9}'],
    [200, 'x'.repeat(100_000)],
    [302, ''],
  ] as const)('does not take the answer %i %j for success', async (status, body) => {
    const { error } = await shipped(() => [status, body]);
    expect(error).toMatchObject({ reason: 'target' });
    expect((error as Error).message).not.toContain('T,');
    expect((error as Error).message.length).toBeLessThan(500);
  });

  it.each([null, {}, { url: 'x', token: 'T' }, { url: 'https://x', token: '' }])(
    'refuses the options %j',
    (options) => {
      expect(() => httpCollector(options as never)).toThrow(TypeError);
    },
  );
});

it.each([null, {}, { flush: 5 }, { flush: async () => undefined, misspelt: 1 }])(
  'otlpLogs refuses the options %j',
  (options) => {
    expect(() => otlpLogs(options as never)).toThrow(TypeError);
  },
);
