import { ManualClock, settle } from '@temper/testkit/clock';
import { boundOf } from '@temper/testkit/repository/boundaries';
import { describe, expect, it } from 'vitest';
import type { AuditEventInput } from '../../src/chain/event.ts';
import { auditLog } from '../../src/log/durable-log.ts';
import { verifyLog } from '../../src/read/verify.ts';
import { PostgresSource, postgresSink } from '../../src/sinks/postgres/index.ts';
import type { PostgresPool } from '../../src/sinks/postgres/postgres-client.ts';

const event: AuditEventInput = { eventType: 'a', action: 'b', resource: 'c', status: 'success' };
const never = (): Promise<never> => new Promise(() => undefined);

describe('a PostgreSQL that never answers', () => {
  const hanging = () => {
    const clock = new ManualClock();
    const pool = { connect: never, query: never } as unknown as PostgresPool;
    const log = auditLog({ clock, sinks: [postgresSink({ pool, writer: 'w' } as never)] });
    return { clock, log };
  };

  it('makes the log hold as many recorded events as its queue has places', async () => {
    const { log } = hanging();
    for (let i = 0; i < 30_000; i++) {
      log.record(event);
      if (i % 1000 === 0) await settle();
    }
    const { pending, dropped } = log.stats();
    expect(pending).toBe(boundOf('postgres.silent'));
    expect(dropped).toBe(30_000 - pending);
  });

  it('makes an appended event wait for the timeout of a sink', async () => {
    const { clock, log } = hanging();
    const begin = clock.monotonic();
    const refused = await clock.runUntil(log.append(event).catch((error: unknown) => error));
    expect(refused).toMatchObject({ name: 'AuditUnavailableError' });
    expect(clock.monotonic() - begin).toBe(boundOf('postgres.append'));
  });
});

describe('a PostgreSQL that returns', () => {
  const line = '{"action":"a","hash":"b","sequence":1,"timestamp":"2026-01-01T00:00:00.000Z"}';
  const row = (sequence: unknown, text: unknown = line) => ({ sequence, at: '', line: text });
  let asked = 0;
  const RESULTS: readonly (readonly [string, () => unknown])[] = [
    ['no rows', () => ({})],
    ['null', () => null],
    ['rows of other types', () => ({ rows: [null, 1, 'x', []] })],
    ['lines of other types', () => ({ rows: [row(1, null), row(2, 5)] })],
    ['lines without end', () => ({ rows: Array(1000).fill(row(asked)) })],
    ['lines in reverse', () => ({ rows: [row(2), row(1)] })],
    ['sequences that are no numbers', () => ({ rows: Array(1000).fill(row('NaN')) })],
    ['one line for ever', () => ({ rows: Array(1000).fill(row(1)) })],
  ];

  it.each(RESULTS)('%s is not taken for a log', async (_, result) => {
    asked = 0;
    const query = async () => {
      if (++asked > 100) throw new Error('asked for ever');
      return result();
    };
    const source = new PostgresSource({ query, connect: never } as never, 'w');
    const verified = await verifyLog(source).then(
      (report) => report.events,
      () => 0,
    );
    expect(asked).toBeLessThanOrEqual(10);
    expect(verified).toBe(boundOf('postgres.rows'));
  });
});
