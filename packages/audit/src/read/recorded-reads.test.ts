import { expectDiagnostics } from '@temper/testkit/repository/diagnostics';
import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../chain/event.ts';
import type { AuditLog } from '../log/audit-log.ts';
import { auditLog } from '../log/durable-log.ts';
import { memorySink } from '../sinks/memory/memory-sink.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { type RecordedReadsOptions, recordedReads } from './recorded-reads.ts';

async function written(): Promise<AuditSource> {
  const sink = memorySink();
  const log = auditLog({ sinks: [sink] });
  for (let i = 1; i <= 9; i++) {
    const action = i % 3 === 0 ? 'third' : 'other';
    await log.append({ eventType: 'o', action, resource: 'r', status: 's' });
  }
  return sink.source;
}

const source = await written();

function recording(options: Partial<RecordedReadsOptions> = {}) {
  const log = auditLog({ name: 'reads', sinks: [memorySink()] });
  const reads = recordedReads(source, { log, reader: 'ann', ...options });
  const recorded = async (): Promise<object[]> =>
    (await log.getEvents()).map(
      ({ eventType, action, status, actor, details, error }: AuditEvent) => {
        expect([eventType, actor]).toEqual(['audit-read', { id: 'ann' }]);
        return { action, status, ...details, ...(error && { error: error.message }) };
      },
    );
  return { log, reads, recorded };
}

const refusing = { append: () => Promise.reject(new Error('the disk is full')) };

async function all<T>(items: AsyncIterable<T>, most = Number.POSITIVE_INFINITY): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) if (found.push(item) >= most) break;
  return found;
}

describe('recorded reads', () => {
  it('record a page with its filter, number and range', async () => {
    const { reads, recorded } = recording();
    const since = new Date('2020-01-01T00:00:00.000Z');
    const { events } = await reads.query({ action: 'third', since, limit: 2 });
    expect(events.map(({ sequence }) => sequence)).toEqual([9, 6]);
    const filter = { action: 'third', since: since.toISOString(), limit: 2 };
    expect(await recorded()).toEqual([
      { action: 'query', status: 'success', filter, events: 2, first: 6, last: 9 },
    ]);
  });

  it('record a page without events too, and no invalid query', async () => {
    const { reads, recorded } = recording();
    await reads.query({ action: 'none' });
    await expect(reads.query({ limit: -1 })).rejects.toThrow(RangeError);
    await expect(all(reads.export({ format: 'x' as never }))).rejects.toThrow(TypeError);
    const filter = { action: 'none' };
    expect(await recorded()).toEqual([{ action: 'query', status: 'success', filter, events: 0 }]);
  });

  it.each(['jsonl', 'cloudevents', 'ocsf'] as const)('record an export as %s', async (format) => {
    const { reads, recorded } = recording();
    expect(await all(reads.export({ format, query: { fromSequence: 4 } }))).toHaveLength(6);
    const told = { action: 'export', format, filter: { fromSequence: 4 } };
    expect(await recorded()).toEqual([
      { ...told, status: 'started' },
      { ...told, status: 'success', events: 6, first: 4, last: 9 },
    ]);
  });

  it('record how far a stream came that its reader has aborted', async () => {
    const { reads, recorded } = recording();
    expect(await all(reads.stream({ order: 'desc' }), 4)).toHaveLength(4);
    expect((await recorded()).at(-1)).toEqual({
      action: 'stream',
      status: 'aborted',
      filter: { order: 'desc' },
      events: 4,
      first: 6,
      last: 9,
    });
  });

  it('record how far a read came that has failed, and reject with what it failed with', async () => {
    const { reads, recorded } = recording();
    const failing = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.alloc(7);
      throw new Error('no more');
    };
    await expect(all(reads.record('bundle', { from: 1 }, failing()))).rejects.toThrow('no more');
    expect(await recorded()).toEqual([
      { action: 'bundle', status: 'started', from: 1 },
      { action: 'bundle', status: 'failure', from: 1, bytes: 7, error: 'no more' },
    ]);
  });

  it('return nothing when they cannot be recorded', async () => {
    const { reads } = recording({ log: refusing });
    let closed = false;
    const parts = async function* (): AsyncGenerator<string> {
      try {
        yield 'secret';
      } finally {
        closed = true;
      }
    };
    const found: unknown[] = [];
    const attempt = async (items: AsyncIterable<unknown>): Promise<void> => {
      for await (const item of items) found.push(item);
    };
    await expect(reads.query()).rejects.toThrow('the disk is full');
    await expect(attempt(reads.stream())).rejects.toThrow('the disk is full');
    await expect(attempt(reads.export())).rejects.toThrow('the disk is full');
    await expect(attempt(reads.record('x', {}, parts()))).rejects.toThrow('the disk is full');
    expect([found, closed]).toEqual([[], true]);
  });

  it('reject at the end when only that cannot be recorded', async () => {
    let left = 1;
    const log = {
      append: async () => (left-- > 0 ? undefined : Promise.reject(new Error('full'))),
    };
    const { reads } = recording({ log });
    await expect(all(reads.stream())).rejects.toThrow('full');
    left = 1;
    await expect(all(reads.stream(), 1)).rejects.toThrow('full');
  });

  it('go on without a record when the user says so', async () => {
    expectDiagnostics(/the disk is full/);
    const { reads } = recording({ log: refusing, whenUnrecorded: 'continue' });
    expect((await reads.query()).events).toHaveLength(9);
    expect(await all(reads.export())).toHaveLength(9);
  });

  it('record reads of the log that records them', async () => {
    const log: AuditLog = auditLog({ sinks: [memorySink()] });
    await log.append({ eventType: 'o', action: 'a', resource: 'r', status: 's' });
    const reads = recordedReads(log.source, { log, reader: { id: 'ann', type: 'user' } });
    expect(await all(reads.stream())).not.toHaveLength(0);
    const [, started, ended] = await log.getEvents();
    expect([started?.status, ended?.status]).toEqual(['started', 'success']);
    expect(started?.actor).toEqual({ id: 'ann', type: 'user' });
  });

  it('need a log and a reader', () => {
    const log = refusing;
    for (const options of [
      { log },
      { reader: 'ann' },
      { log, reader: '' },
      { log: {}, reader: 'a' },
      { log, reader: {} },
    ]) {
      expect(() => recordedReads(source, options as never)).toThrow(TypeError);
    }
  });
});
