import { type CallOptions, type Executor, type Operation, systemClock } from '@temper/core';
import { enterCall } from '@temper/core/policy';
import { ManualClock } from '@temper/testkit/clock';
import { describe, expect, it } from 'vitest';
import { ScriptedSink } from '../test/scripted-sink.ts';
import { type AuditedPolicy, audited } from './audited.ts';
import type { AuditEvent } from './chain/event.ts';
import { auditLog } from './log/durable-log.ts';

/** A policy that does nothing. */
const policy: Executor = {
  execute: <T>(operation: Operation<T>, options?: CallOptions): Promise<T> => {
    const runInCall = async <U>(work: Operation<U>, call: never): Promise<U> => work(call);
    return enterCall({ runInCall }, operation, options, 'plain', systemClock);
  },
};

async function* read(to: number): AsyncGenerator<number> {
  for (let i = 1; i <= to; i++) yield i;
  if (to > 2) throw new Error('cut');
}

/** How an async generator is audited. */
const WAYS: Readonly<
  Record<string, (policy: AuditedPolicy, to: number) => Promise<AsyncGenerator<number>>>
> = {
  wrap: async (audit, to) => audit.wrap(read)(to),
  'wrap with options': async (audit, to) => audit.wrap(read, () => ({ operation: 'read' }))(to),
  execute: async (audit, to) =>
    audit.execute(async function* () {
      yield* read(to);
    }),
  around: async (audit, to) =>
    audit.around(policy).execute(async function* () {
      yield* read(to);
    }),
};

describe.each(Object.keys(WAYS))('an async generator audited by %s', (way) => {
  it('is one event, when it has ended, as what it has ended with', async () => {
    const clock = new ManualClock();
    const sink = new ScriptedSink('a');
    const log = auditLog({ clock, sinks: [sink] });
    const audit = audited(log, {
      action: 'read',
      resource: 'list',
      clock,
      details: ({ args }) => ({ args }),
    });
    const events = (): AuditEvent[] => sink.lines.map((line) => JSON.parse(line) as AuditEvent);
    const begin = WAYS[way] as (typeof WAYS)[string];
    const args = way.startsWith('wrap') ? [2] : [];

    const seen: number[] = [];
    for await (const item of await begin(audit, 2)) {
      seen.push(item);
      expect(events()).toEqual([]);
    }
    expect(seen).toEqual([1, 2]);
    expect(events()).toMatchObject([{ status: 'success', details: { args } }]);

    const failing = await begin(audit, 3);
    for (const item of [1, 2, 3]) expect((await failing.next()).value).toBe(item);
    await expect(failing.next()).rejects.toThrow('cut');
    expect(events()).toMatchObject([
      { status: 'success' },
      { status: 'failure', error: { message: 'cut' } },
    ]);
    expect(audit.stats()).toEqual({ succeeded: 1, failed: 1 });
  });
});

describe('an async generator audited by around', () => {
  it('is refused at once with options that no call may have', async () => {
    const log = auditLog({ sinks: [new ScriptedSink('a')] });
    const audit = audited(log, { action: 'read', resource: 'list' });
    const refused = audit.around(policy).execute(() => read(1), { deadline: 5 } as never);
    await expect(refused).rejects.toThrow("unknown call option 'deadline'");
  });
});
