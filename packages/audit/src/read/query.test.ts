import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type TemporaryDirectory, temporaryDirectory } from '../../test/temporary-directory.ts';
import type { AuditEvent } from '../chain/event.ts';
import type { AuditLog } from '../log/audit-log.ts';
import { auditLog } from '../log/durable-log.ts';
import { fileSink } from '../sinks/file/file-sink.ts';
import { memorySink } from '../sinks/memory/memory-sink.ts';
import { sqliteSink } from '../sinks/sqlite/sqlite-sink.ts';
import { type AuditQuery, queryPage, streamEvents } from './query.ts';

const COUNT = 60;
const ACTIONS = ['create', 'read', 'update', 'say "hi"\\', 'ünïcode'];

let directory: TemporaryDirectory;
let log: AuditLog;
let all: readonly AuditEvent[];
const memory = memorySink();
beforeAll(async () => {
  directory = temporaryDirectory();
  log = auditLog({
    sinks: [
      memory,
      sqliteSink({ path: `${directory.path}/audit.db` }),
      fileSink({ directory: `${directory.path}/log`, maxSegmentBytes: 4_096 }),
    ],
  });
  for (let i = 0; i < COUNT; i++) {
    await log.append({
      eventType: i % 4 === 0 ? 'login' : 'operation',
      action: ACTIONS[i % ACTIONS.length] as string,
      resource: `r${i % 3}`,
      status: i % 7 === 0 ? 'failure' : 'success',
      actor: { id: `u${i % 4}`, type: 'user', name: `User ${i % 4}` },
      // Text that looks like the fields that a store searches for.
      details: {
        n: i,
        nested: { even: i % 2 === 0 },
        trap: ',"status":"failure","timestamp":"2000-01-01T00:00:00.000Z"',
      },
      error: i % 7 === 0 ? Object.assign(new Error(`cause ${i}`), { code: 'EPIPE' }) : undefined,
      durationMs: i,
    });
  }
  await log.close();
  all = await collect(streamEvents(memory.source));
});
afterAll(() => directory[Symbol.dispose]());

async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

const stores = [
  ['memory', () => memory.source],
  ['SQLite', () => sqliteSink({ path: `${directory.path}/audit.db` }).source],
  ['files', () => fileSink({ directory: `${directory.path}/log` }).source],
] as const;

const word = (values: readonly string[]) =>
  fc.oneof(fc.constantFrom(...values), fc.subarray([...values]));
const anyQuery: fc.Arbitrary<AuditQuery> = fc.record(
  {
    action: word([...ACTIONS, 'nothing']),
    eventType: word(['login', 'operation']),
    resource: word(['r0', 'r1', 'r2']),
    status: word(['success', 'failure']),
    actor: word(['u0', 'u1', 'u2']),
    failed: fc.boolean(),
    errorCode: fc.constant('EPIPE'),
    errorMessage: fc.constantFrom('cause 1', 'cause'),
    minDurationMs: fc.nat(COUNT),
    maxDurationMs: fc.nat(COUNT),
    fromSequence: fc.nat(COUNT + 5),
    toSequence: fc.nat(COUNT + 5),
    details: fc.constantFrom({ 'nested.even': true }, { n: 7 }, { 'nested.none': 1 }),
  },
  { requiredKeys: [] },
);

/** A reference implementation of a query. */
function matching(query: AuditQuery): number[] {
  const among = (
    wanted: string | readonly string[] | undefined,
    value: string | undefined,
  ): boolean => wanted === undefined || [wanted].flat().includes(value as string);
  return all
    .filter(
      (event) =>
        among(query.action, event.action) &&
        among(query.eventType, event.eventType) &&
        among(query.resource, event.resource) &&
        among(query.status, event.status) &&
        among(query.actor, event.actor?.id) &&
        among(query.errorCode, event.error?.code) &&
        (query.failed === undefined || query.failed === (event.error !== undefined)) &&
        (query.errorMessage === undefined ||
          (event.error?.message ?? '').includes(query.errorMessage)) &&
        (query.minDurationMs === undefined ||
          (event.durationMs as number) >= query.minDurationMs) &&
        (query.maxDurationMs === undefined ||
          (event.durationMs as number) <= query.maxDurationMs) &&
        (query.fromSequence === undefined || event.sequence >= query.fromSequence) &&
        (query.toSequence === undefined || event.sequence <= query.toSequence) &&
        (query.details === undefined ||
          (query.details.n === undefined
            ? 'nested.even' in query.details && (event.details.nested as { even: boolean }).even
            : event.details.n === 7)),
    )
    .map(({ sequence }) => sequence);
}

const sequences = (events: readonly AuditEvent[]): number[] =>
  events.map(({ sequence }) => sequence);

describe.each(stores)('queries of %s', { timeout: 180_000 }, (_, source) => {
  it('finds exactly the matching events', async () => {
    await fc.assert(
      fc.asyncProperty(anyQuery, async (query) => {
        expect(sequences(await collect(streamEvents(source(), query)))).toEqual(matching(query));
      }),
      { numRuns: 60 },
    );
  });

  it('pages through all events once, forwards and backwards, in either order', async () => {
    const sizes = fc.integer({ min: 1, max: 25 });
    await fc.assert(
      fc.asyncProperty(
        anyQuery,
        fc.constantFrom('asc', 'desc'),
        sizes,
        async (conditions, order, limit) => {
          const query: AuditQuery = { ...conditions, order, limit };
          const expected = order === 'asc' ? matching(conditions) : matching(conditions).reverse();
          const pages: number[][] = [];
          let page = await queryPage(source(), query);
          expect(page.previous).toBeUndefined();
          for (;;) {
            pages.push(sequences(page.events));
            if (page.next === undefined) break;
            expect(page.events).toHaveLength(limit);
            page = await queryPage(source(), { ...query, cursor: page.next });
          }
          expect(pages.flat()).toEqual(expected);
          for (let i = pages.length - 2; i >= 0; i--) {
            page = await queryPage(source(), { ...query, cursor: page.previous as string });
            expect(sequences(page.events)).toEqual(pages[i]);
          }
          expect(page.previous).toBeUndefined();
        },
      ),
      { numRuns: 30 },
    );
  });

  it('finds events by time, with an inclusive start and an exclusive end', async () => {
    const at = all[20]?.timestamp as string;
    const since = await collect(streamEvents(source(), { since: at }));
    const until = await collect(streamEvents(source(), { until: new Date(at) }));
    expect(sequences(since)).toEqual(sequences(all.filter(({ timestamp }) => timestamp >= at)));
    expect(sequences(until)).toEqual(sequences(all.filter(({ timestamp }) => timestamp < at)));
    expect(since.length + until.length).toBe(COUNT);
  });

  it('finds events by id, hash and every other field', async () => {
    const wanted = all[33] as AuditEvent;
    for (const query of [
      { id: wanted.id },
      { hash: wanted.hash },
      { prev: wanted.prev },
      {
        actorName: 'User 1',
        action: wanted.action,
        resource: wanted.resource,
        minDurationMs: 33,
        maxDurationMs: 33,
      },
    ] satisfies AuditQuery[]) {
      expect(await collect(streamEvents(source(), query))).toEqual([wanted]);
    }
  });

  it('returns no event for limit 0 and streams without a limit by default', async () => {
    expect(await queryPage(source(), { limit: 0 })).toEqual({
      events: [],
      next: undefined,
      previous: undefined,
    });
    expect(await collect(streamEvents(source(), { limit: 0 }))).toEqual([]);
    expect(await collect(streamEvents(source(), { limit: 3 }))).toHaveLength(3);
    expect(await collect(streamEvents(source()))).toHaveLength(COUNT);
    expect((await queryPage(source(), {})).events).toHaveLength(COUNT);
  });

  it('returns frozen events', async () => {
    const { events } = await queryPage(source(), { limit: 1 });
    expect(Object.isFrozen(events[0])).toBe(true);
    expect(Object.isFrozen(events[0]?.details.nested)).toBe(true);
  });
});

describe('a page beyond the end', () => {
  it('returns an empty page whose cursor leads back', async () => {
    const { source } = memorySink({ lines: [] });
    const last = await queryPage(memory.source, { order: 'asc', limit: COUNT - 1 });
    const empty = await queryPage(source, { order: 'asc', cursor: last.next as string });
    expect(empty.events).toEqual([]);
    const back = await queryPage(memory.source, {
      order: 'asc',
      limit: COUNT - 1,
      cursor: empty.previous as string,
    });
    expect(back.events).toEqual(last.events);
  });
});

describe('getEvents', () => {
  it('returns the last events, oldest first, and none for 0', async () => {
    const open = auditLog({ sinks: [memorySink()] });
    for (let i = 1; i <= 150; i++)
      open.record({ eventType: 'a', action: `n${i}`, resource: 'r', status: 's' });
    await open.flush();
    expect(sequences(await open.getEvents(3))).toEqual([148, 149, 150]);
    expect(await open.getEvents(0)).toEqual([]);
    expect(await open.getEvents()).toHaveLength(100);
    await expect(open.getEvents(-1)).rejects.toThrow(
      'limit must be an integer from 0 to 10000, got -1',
    );
    await expect(open.getEvents(1.5)).rejects.toThrow(RangeError);
  });
});

describe('invalid queries', () => {
  it.each([
    [{ limit: -1 }, 'limit must be an integer from 0 to 10000'],
    [{ limit: 10_001 }, 'limit must be'],
    [{ order: 'up' }, "order must be one of 'asc', 'desc'"],
    [{ acton: 'x' }, "unknown option 'acton'"],
    [{ action: 5 }, 'action must be a string or an array of strings, got 5'],
    [{ since: 'never' }, "since must be a valid time, got 'never'"],
    [{ cursor: 'x' }, "cursor must be next or previous of a page, got 'x'"],
    [{ minDurationMs: -1 }, 'minDurationMs must be'],
    [{ fromSequence: 0.5 }, 'fromSequence must be an integer'],
  ])('rejects the query %j', async (query, message) => {
    await expect(queryPage(memory.source, query as AuditQuery)).rejects.toThrow(message);
  });

  it('rejects a cursor of the other order', async () => {
    const { next } = await queryPage(memory.source, { limit: 1, order: 'asc' });
    await expect(
      queryPage(memory.source, { order: 'desc', cursor: next as string }),
    ).rejects.toThrow("in order 'asc'");
  });
});
