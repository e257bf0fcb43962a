import { ManualClock } from '@temper/testkit/clock';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditEventInput } from '../../src/chain/event.ts';
import { generateSigningKey, noteSigner } from '../../src/chain/signing-key.ts';
import { run } from '../../src/cli/run.ts';
import type { AuditLog } from '../../src/log/audit-log.ts';
import { auditLog } from '../../src/log/durable-log.ts';
import { queryPage, streamEvents } from '../../src/read/query.ts';
import { verifyLog } from '../../src/read/verify.ts';
import { memorySink } from '../../src/sinks/memory/memory-sink.ts';
import { type PostgresSinkOptions, postgresSink } from '../../src/sinks/postgres/postgres-sink.ts';
import { PostgresSource, postgresWriters } from '../../src/sinks/postgres/postgres-source.ts';
import { type PostgresServer, postgresBinaries, startPostgres } from '../postgres-server.ts';
import { describeTampering, type TamperTarget } from '../tampering.ts';

const available = postgresBinaries() !== undefined;
if (!available && process.env.CI === 'true') throw new Error('PostgreSQL is missing.');
if (!available) console.warn('PostgreSQL is not installed: its suites are skipped.');

const event = (action: string, more: Partial<AuditEventInput> = {}): AuditEventInput => ({
  eventType: 'operation',
  action,
  resource: 'r',
  status: 'success',
  ...more,
});

let server: PostgresServer;
let pool: pg.Pool;
beforeAll(async () => {
  if (!available) return;
  server = await startPostgres();
  pool = new pg.Pool({ connectionString: server.connectionString, max: 8 });
  pool.on('error', () => undefined);
});
afterAll(async () => {
  await pool?.end();
  await server?.stop();
});

let schemas = 0;
const newSchema = (): string => `s${++schemas}`;

function open(
  options: Partial<PostgresSinkOptions> = {},
  more: Parameters<typeof auditLog>[0] = {},
): AuditLog {
  return auditLog({
    sinks: [postgresSink({ pool, writer: 'w1', ...options })],
    sinkRetryMs: 0,
    ...more,
  });
}

if (available) {
  describeTampering('PostgreSQL', async (): Promise<TamperTarget> => {
    const schema = newSchema();
    const table = (name: string): string => `"${schema}".audit_${name}`;
    return {
      sink: () => postgresSink({ pool, writer: 'w1', schema, indexes: [] }),
      source: () => new PostgresSource(pool, 'w1', schema),
      replaceLines: async (lines) => {
        const { rows } = await pool.query(`SELECT at, line FROM ${table('event')}`);
        const times = new Map(
          (rows as { at: Date; line: string }[]).map(({ at, line }) => [line, at]),
        );
        await pool.query(`DELETE FROM ${table('event')}`);
        await pool.query(
          `CREATE TABLE IF NOT EXISTS ${table('event_rest')} PARTITION OF ${table('event')} DEFAULT`,
        );
        for (const [i, line] of lines.entries()) {
          const at = times.get(line) ?? timeOf(line);
          await pool.query(`INSERT INTO ${table('event')} VALUES ('w1', $1, $2, $3)`, [
            i + 1,
            at,
            line,
          ]);
        }
      },
      replaceCheckpoints: async (checkpoints) => {
        await pool.query(`DELETE FROM ${table('checkpoint')}`);
        for (const { size, note, frontier } of checkpoints) {
          await pool.query(`INSERT INTO ${table('checkpoint')} VALUES ('w1', $1, $2, $3)`, [
            size,
            note,
            JSON.stringify(frontier),
          ]);
        }
      },
      dispose: async () => {
        await pool.query(`DROP SCHEMA "${schema}" CASCADE`);
      },
    };
  });
}

function timeOf(line: string): string {
  return /"timestamp":"([^"]+)"/.exec(line)?.[1] ?? new Date(0).toISOString();
}

describe.runIf(available)('postgresSink', () => {
  it('stores one chain per writer in daily partitions', async () => {
    const schema = newSchema();
    const clock = new ManualClock(Date.parse('2026-11-24T23:59:59.000Z'));
    const logs = ['w1', 'w2', 'w3'].map((writer) => open({ writer, schema, clock }, { clock }));
    for (let day = 0; day < 3; day++) {
      await Promise.all(
        logs.flatMap((log) => Array.from({ length: 50 }, (_, i) => log.append(event(`n${i}`)))),
      );
      await clock.advance(86_400_000);
    }
    await Promise.all(logs.map((log) => log.close()));
    expect(await postgresWriters(pool, schema)).toEqual(['w1', 'w2', 'w3']);
    for (const writer of ['w1', 'w2', 'w3']) {
      expect(await verifyLog(new PostgresSource(pool, writer, schema))).toMatchObject({
        problem: undefined,
        events: 150,
      });
    }
    const { rows } = await pool.query(
      `SELECT relname, (SELECT count(*) FROM "${schema}".audit_event e WHERE e.tableoid = c.oid) AS events
         FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE nspname = $1 AND relname ~ '^audit_event_2026[0-9]{4}$' ORDER BY relname`,
      [schema],
    );
    expect(rows).toEqual(
      ['20261124', '20261125', '20261126'].map((day) => ({
        relname: `audit_event_${day}`,
        events: '150',
      })),
    );
  });

  it('rejects a second writer of the same name until the first has closed', async () => {
    const schema = newSchema();
    const first = open({ schema });
    await first.append(event('one'));
    const second = open({ schema });
    await expect(second.append(event('refused'))).rejects.toMatchObject({
      cause: { code: 'AUDIT_LOCKED' },
    });
    await first.close();
    await second.append(event('two'));
    await second.close();
    expect(await verifyLog(new PostgresSource(pool, 'w1', schema))).toMatchObject({
      problem: undefined,
      last: 3,
    });
  });

  it('stores nothing for a superseded writer', async () => {
    const schema = newSchema();
    const log = open({ schema });
    await log.append(event('one'));
    // Simulates a lost session after which another process has written.
    await pool.query(`UPDATE "${schema}".audit_head SET sequence = 7`);
    await expect(log.append(event('two'))).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    const { rows } = await pool.query(`SELECT count(*) FROM "${schema}".audit_event`);
    expect(rows[0]).toEqual({ count: '1' });
    await log.close().catch(() => undefined);
  });

  it('recovers from a lost connection without losing or duplicating an event', async () => {
    const schema = newSchema();
    const log = open({ schema });
    const acknowledged: number[] = [];
    for (let i = 0; i < 20; i++) {
      const appended = Array.from({ length: 20 }, () =>
        log.append(event('n')).then(
          ({ sequence }) => acknowledged.push(sequence),
          () => undefined,
        ),
      );
      if (i % 4 === 0) {
        await pool.query(
          `SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid <> pg_backend_pid()`,
        );
      }
      await Promise.all(appended);
    }
    await log.append(event('last'));
    await log.close();
    const report = await verifyLog(new PostgresSource(pool, 'w1', schema));
    expect(report.problem).toBeUndefined();
    expect(new Set(acknowledged).size).toBe(acknowledged.length);
    expect(Math.max(...acknowledged)).toBeLessThanOrEqual(report.last);
  });

  it('rejects append while the server is down and recovers when it is back', async () => {
    const schema = newSchema();
    const log = open({ schema });
    await log.append(event('one'));
    await server.crash();
    await expect(log.append(event('two'))).rejects.toMatchObject({ code: 'AUDIT_UNAVAILABLE' });
    await server.restart();
    await log.append(event('three'));
    await log.close();
    const actions: string[] = [];
    for await (const { action } of streamEvents(new PostgresSource(pool, 'w1', schema)))
      actions.push(action);
    expect(actions.filter((action) => action !== 'account')).toEqual(['one', 'two', 'three']);
  });

  it('commits synchronously when the server default is synchronous_commit=off', async () => {
    const schema = newSchema();
    const lazy = new pg.Pool({
      connectionString: server.connectionString,
      options: '-c synchronous_commit=off',
    });
    const asked: string[] = [];
    const sink = postgresSink({
      pool: {
        query: (text, values) => lazy.query(text, values),
        connect: async () => {
          const client = await lazy.connect();
          return {
            on: (name, listener) => client.on(name, listener),
            release: (destroy) => client.release(destroy),
            query: async (text: string, values?: unknown[]) => {
              if (text.startsWith('WITH moved')) {
                const { rows } = await client.query('SHOW synchronous_commit');
                asked.push((rows[0] as { synchronous_commit: string }).synchronous_commit);
              }
              return client.query(text, values);
            },
          };
        },
      },
      writer: 'w1',
      schema,
    });
    const log = auditLog({ sinks: [sink] });
    await log.append(event('one'));
    await log.close();
    await lazy.end();
    expect(asked).toEqual(['on']);
  });

  it('finds events by value, time and page, with special characters', async () => {
    const schema = newSchema();
    const log = open({ schema });
    const odd = 'quote " backslash \\ percent % ünïcode \u2028';
    await log.append(event(odd, { actor: odd, details: { 'a\u0000b': '\u0000', n: 1 } }));
    await log.append(event('other', { status: 'failure' }));
    await log.close();
    const source = new PostgresSource(pool, 'w1', schema);
    for (const query of [
      { action: odd },
      { actor: odd },
      { status: 'success' },
      { details: { n: 1 } },
    ]) {
      expect((await queryPage(source, query)).events.map(({ sequence }) => sequence)).toEqual([1]);
    }
    expect((await queryPage(source, { since: new Date(Date.now() - 60_000) })).events).toHaveLength(
      2,
    );
    expect((await queryPage(source, { until: new Date(Date.now() - 60_000) })).events).toEqual([]);
  });

  it('detects events stored under another sequence or time', async () => {
    const schema = newSchema();
    const log = open({ schema });
    for (let i = 0; i < 5; i++) await log.append(event(`n${i}`));
    await log.close();
    const source = new PostgresSource(pool, 'w1', schema);
    await pool.query(
      `UPDATE "${schema}".audit_event SET at = at + interval '1 millisecond' WHERE sequence = 3`,
    );
    expect((await verifyLog(source)).problem).toMatchObject({ sequence: 3 });
    await pool.query(
      `UPDATE "${schema}".audit_event SET at = at - interval '1 millisecond' WHERE sequence = 3`,
    );
    expect((await verifyLog(source)).problem).toBeUndefined();
    await pool.query(`UPDATE "${schema}".audit_event SET sequence = 50 WHERE sequence = 5`);
    expect((await verifyLog(source)).problem).toMatchObject({ sequence: 5 });
  });

  it('drops days older than maxAgeMs and keeps the logs verifiable', async () => {
    const key = generateSigningKey('log');
    const schema = newSchema();
    const clock = new ManualClock(Date.parse('2026-11-01T12:00:00.000Z'));
    const everything = memorySink();
    const other = open({ writer: 'w2', schema, clock }, { clock });
    const log = auditLog({
      clock,
      sinks: [
        postgresSink({ pool, writer: 'w1', schema, clock, maxAgeMs: 3 * 86_400_000 }),
        everything,
      ],
      checkpoints: { signer: noteSigner(key.secretKey), everyEvents: 4 },
      sinkTimeoutMs: Number.POSITIVE_INFINITY, // the clock jumps while the server works
    });
    const source = new PostgresSource(pool, 'w1', schema);
    let removed = 0;
    for (let day = 0; day < 8; day++) {
      for (let i = 0; i < 5; i++) await log.append(event(`day ${day}`));
      await other.append(event(`day ${day}`));
      for (let tries = 0; day >= 4 && tries < 500; tries++) {
        const { sequence = 0 } = (await source.anchor()) ?? {};
        if (sequence > removed) {
          removed = sequence;
          break;
        }
      }
      await clock.advance(86_400_000);
    }
    const { note } = await log.checkpoint();
    await log.close();
    await other.close();
    const report = await verifyLog(source, { keys: [key.verifierKey], checkpoints: [note] });
    expect(report.problem).toBeUndefined();
    expect(report.anchor?.sequence).toBe(report.first - 1);
    expect(report.first).toBeGreaterThan(15);
    const [oldest] = (await queryPage(source, { order: 'asc', limit: 1 })).events;
    expect(oldest?.action).toBe('day 5'); // closing removes what has been beyond the limit since
    expect(
      (await queryPage(everything.source, { action: 'retire' })).events.length,
    ).toBeGreaterThan(2);
    // The other writer has not stated that it removes anything, so it keeps its events.
    expect(await verifyLog(new PostgresSource(pool, 'w2', schema))).toMatchObject({
      problem: undefined,
      first: 1,
      last: 8,
    });
  });

  it('raises no false alarm when it is verified while days are removed all the time', async () => {
    const key = generateSigningKey('log');
    const schema = newSchema();
    const clock = new ManualClock(Date.parse('2026-11-01T12:00:00.000Z'));
    const log = auditLog({
      clock,
      sinks: [postgresSink({ pool, writer: 'w1', schema, clock, maxAgeMs: 86_400_000 })],
      checkpoints: { signer: noteSigner(key.secretKey), everyEvents: 4 },
      sinkTimeoutMs: Number.POSITIVE_INFINITY,
    });
    await log.append(event('first'));
    await log.checkpoint();
    const source = new PostgresSource(pool, 'w1', schema);
    const anchors = new Set<number>();
    let running = true;
    const write = async (): Promise<void> => {
      for (let day = 0; day < 40; day++) {
        for (let i = 0; i < 8; i++) await log.append(event(`day ${day}`));
        await clock.advance(86_400_000);
      }
      running = false;
    };
    const check = async (): Promise<void> => {
      while (running) {
        const { problem, anchor } = await verifyLog(source, { keys: [key.verifierKey] });
        expect(problem).toBeUndefined();
        if (anchor !== undefined) anchors.add(anchor.sequence);
      }
    };
    await Promise.all([write(), check(), check()]);
    await log.close();
    expect(anchors.size).toBeGreaterThan(3);
  });

  it.each([
    ['the last day that can be written', 253_402_300_799_999, '9999-12-31T23:59:59.999Z'],
    ['after it', 8.64e15, '9999-12-31T23:59:59.999Z'],
    ['the first day', -8.64e15, '0001-01-01T00:00:00.000Z'],
  ])('stores events when the clock is at %s', async (_, now, timestamp) => {
    const clock = new ManualClock(now);
    const schema = newSchema();
    const log = open({ schema, writer: 'w1', clock }, { clock });
    expect(await log.append(event('a'))).toMatchObject({ timestamp });
    await log.close();
    const source = new PostgresSource(pool, 'w1', schema);
    expect(await verifyLog(source)).toMatchObject({ problem: undefined, events: 1 });
  });

  it('is read by the command line line', async () => {
    const log = open({ schema: 'public', writer: 'command' });
    for (let i = 0; i < 5; i++) await log.append(event(`n${i}`));
    await log.close();
    const command = async (
      ...args: string[]
    ): Promise<{ code: number; out: string; err: string }> => {
      let out = '';
      let err = '';
      const write = (add: (text: string) => void) => ({
        isTerminal: false,
        columns: 80,
        write: add,
      });
      const code = await run(args, {
        stdout: write((text) => {
          out += text;
        }),
        stderr: write((text) => {
          err += text;
        }),
        env: {},
        clock: new ManualClock(),
        signal: new AbortController().signal,
      });
      return { code, out, err };
    };
    expect(await command('verify', server.connectionString, '--writer', 'command')).toMatchObject({
      code: 4,
      out: expect.stringContaining('5 events, 1 to 5'),
    });
    expect(
      (await command('export', server.connectionString, '--writer', 'command')).out.split('\n'),
    ).toHaveLength(6);
    expect((await command('verify', server.connectionString, '--writer', 'nobody')).code).toBe(3);
    expect((await command('verify', 'postgres://nobody@127.0.0.1:1/none')).code).toBe(3);
  });

  it.each([
    [{ writer: '' }, 'writer must be a non-empty string'],
    [{ pool: undefined }, 'pool must be an object'],
    [{ schema: 'Robert"; DROP' }, 'schema must be a lower-case identifier'],
    [{ maxAgeMs: 1 }, 'maxAgeMs must be a number >= 86400000'],
    [{ table: 'x' }, "unknown option 'table'"],
  ])('rejects %j', (options, message) => {
    expect(() => postgresSink({ pool, writer: 'w1', ...options } as PostgresSinkOptions)).toThrow(
      message,
    );
  });
});
