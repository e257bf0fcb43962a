import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { canonicalize, type JsonObject } from '../chain/canonical-json.ts';
import { checkLine } from '../chain/hash-chain.ts';
import { lastEvents } from '../read/query.ts';
import { verifyLog } from '../read/verify.ts';
import { memorySink } from '../sinks/memory/memory-sink.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { migrateLog } from './migrate.ts';

/** Lines as the format 1 had them. */
function oldLines(count: number): string[] {
  let prev = '0'.repeat(64);
  return Array.from({ length: count }, (_, i) => {
    const fields: JsonObject = {
      id: `018bcfe5-6800-7000-8000-00000000000${i}`,
      sequence: i + 1,
      timestamp: '2026-01-01T00:00:00.000Z',
      eventType: 'operation',
      action: `step ${i + 1}`,
      resource: 'ünïcode "quoted"',
      status: 'success',
      actor: { id: 'ann', name: 'Ann' },
      details: { n: i, list: [1.5, null] },
      ...(i === 1 ? { error: { name: 'Error', message: 'x' }, durationMs: 2.5 } : {}),
      ...(i === 2 ? { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16) } : {}),
      prev,
    };
    const hash = createHash('sha256').update(canonicalize(fields)).digest('hex');
    prev = hash;
    return canonicalize({ ...fields, hash });
  });
}

function sourceOf(lines: readonly string[]): AuditSource {
  return {
    name: 'old',
    async *read() {
      yield lines;
    },
    anchor: async () => undefined,
    checkpoints: async () => [],
  };
}

describe('migrateLog', () => {
  it('copies content, ids, times and order of the events, and states what it was made from', async () => {
    const lines = oldLines(5);
    const to = memorySink();
    const report = await migrateLog(sourceOf(lines), to, 'new-log');
    const last = JSON.parse(lines[4] as string) as { hash: string };
    expect(report).toEqual({ events: 5, log: 'new-log', sequence: 5, hash: last.hash });
    expect(await verifyLog(to.source)).toMatchObject({ problem: undefined, events: 6 });
    const events = await lastEvents(to.source, 10);
    for (const [i, line] of lines.entries()) {
      const { hash: _h, prev: _p, ...old } = JSON.parse(line) as Record<string, unknown>;
      expect(events[i]).toMatchObject({ ...old, v: 2, log: 'new-log' });
    }
    const { eventType, action, details } = events[5] as (typeof events)[number];
    expect([eventType, action]).toEqual(['audit', 'migrate']);
    expect(details).toMatchObject({ format: 1, first: 1, sequence: 5, hash: last.hash });
    expect(Buffer.from(details.root as string, 'base64')).toHaveLength(32);
  });

  it.each<[string, (lines: string[]) => string[]]>([
    ['an edited event', (lines) => lines.with(2, (lines[2] as string).replace('step 3', 'step 9'))],
    ['a missing event', (lines) => lines.toSpliced(2, 1)],
    ['events out of order', (lines) => lines.with(1, lines[2] as string)],
    ['a line that is not an event', (lines) => lines.with(1, 'nothing')],
  ])('refuses a log with %s', async (_, tamper) => {
    const migrating = migrateLog(sourceOf(tamper(oldLines(5))), memorySink());
    await expect(migrating).rejects.toMatchObject({ code: 'AUDIT_CORRUPT' });
  });

  it('refuses a log that has the present format, and a sink that has events', async () => {
    const to = memorySink();
    await migrateLog(sourceOf(oldLines(1)), to);
    await expect(migrateLog(to.source, memorySink())).rejects.toThrow('format 1');
    await expect(migrateLog(sourceOf(oldLines(1)), to)).rejects.toThrow('not empty');
  });

  it('is what the error of an event of the format 1 names', () => {
    expect(checkLine(oldLines(1)[0] as string)).toMatchObject({
      fault: 'malformed',
      message: expect.stringContaining('temper-audit migrate'),
    });
  });
});
