import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { ScriptedSink } from '../../test/scripted-sink.ts';
import type { AuditEventInput } from '../chain/event.ts';
import type { AuditLog } from './audit-log.ts';
import { auditLog } from './durable-log.ts';
import type { AuditLogOptions } from './options.ts';

const event: AuditEventInput = { eventType: 'a', action: 'b', resource: 'c', status: 'success' };

function broken(options: AuditLogOptions = {}): {
  readonly log: AuditLog;
  readonly sink: ScriptedSink;
} {
  const sink = new ScriptedSink('a');
  sink.failWith = sink.failOpenWith = new Error('no disk');
  const log = auditLog({ clock: new ManualClock(), sinkRetryMs: 0, sinks: [sink], ...options });
  return { sink, log };
}

function repair(sink: ScriptedSink): void {
  sink.failWith = sink.failOpenWith = undefined;
}

describe('flush after an outage', () => {
  it.each<[string, AuditLogOptions, (log: AuditLog) => Promise<void>, number]>([
    [
      'record() during the outage',
      {},
      async (log) => {
        for (let i = 0; i < 20; i++) log.record(event);
        await log.ready().catch(() => undefined);
      },
      20,
    ],
    [
      'record() beyond queueLimit',
      { queueLimit: 5, whenUnavailable: 'degrade' },
      async (log) => {
        for (let i = 0; i < 12; i++) log.record(event);
        await log.ready().catch(() => undefined);
      },
      7,
    ],
    [
      'append() beyond holdLimit with degrade',
      { holdLimit: 4, whenUnavailable: 'degrade' },
      async (log) => {
        for (let i = 0; i < 10; i++) await log.append(event);
      },
      6,
    ],
  ])('rejects once with the number of events lost by %s', async (_, options, lose, lost) => {
    const { log, sink } = broken(options);
    await lose(log);
    repair(sink);
    await log.append(event);
    await expect(log.flush()).rejects.toMatchObject({ code: 'AUDIT_LOST', lost });
    await log.flush();
    await log.close();
  });

  it('resolves when append() has told every caller, and when held events were stored', async () => {
    const refusing = broken();
    for (let i = 0; i < 5; i++) await expect(refusing.log.append(event)).rejects.toThrow('no disk');
    repair(refusing.sink);
    await refusing.log.flush();
    await refusing.log.close();

    const degrading = broken({ whenUnavailable: 'degrade' });
    for (let i = 0; i < 5; i++) await degrading.log.append(event);
    repair(degrading.sink);
    await degrading.log.flush();
    expect(degrading.sink.lines).toHaveLength(6); // with the account of the outage
    await degrading.log.close();
  });

  it('is made up for by close, which rejects after it has closed the sinks', async () => {
    const { log, sink } = broken();
    log.record(event);
    await log.ready().catch(() => undefined);
    repair(sink);
    await expect(log.close()).rejects.toMatchObject({ code: 'AUDIT_LOST', lost: 1 });
    expect(sink.closed).toBe(true);
  });
});
