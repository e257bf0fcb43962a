import type { AuditEventInput } from '@temper/audit';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RefusalLog } from './refusals.ts';

describe('RefusalLog', () => {
  const events: AuditEventInput[] = [];
  const log = { record: (event: AuditEventInput) => void events.push(event) };
  const actors = () =>
    events.map(({ actor, details }) => [actor, (details as { requests: number }).requests]);

  beforeEach(() => {
    events.length = 0;
    vi.useFakeTimers();
  });
  afterEach(() => void vi.useRealTimers());

  it('records one event per client and five seconds, with the number of refused requests', () => {
    using refusals = new RefusalLog(log);
    for (let i = 0; i < 500; i++) refusals.add('http_client', '10.0.0.1');
    refusals.add('http_client', '10.0.0.2');
    expect(events).toEqual([]);
    vi.advanceTimersByTime(5_000);
    expect(events[0]).toMatchObject({
      action: 'refuse_requests',
      resource: 'http_client',
      status: 'rejected',
    });
    expect(actors()).toEqual([
      ['10.0.0.1', 500],
      ['10.0.0.2', 1],
    ]);
    vi.advanceTimersByTime(60_000);
    expect(events).toHaveLength(2);
    refusals.add('http_client', '10.0.0.1');
    vi.advanceTimersByTime(5_000);
    expect(actors()[2]).toEqual(['10.0.0.1', 1]);
  });

  it('adds up the clients beyond 1000, so that many addresses cannot fill the log', () => {
    using refusals = new RefusalLog(log);
    for (let i = 0; i < 5_000; i++) refusals.add('http_client', `10.0.${i >> 8}.${i & 255}`);
    vi.advanceTimersByTime(5_000);
    expect(events).toHaveLength(1_001);
    expect(actors().at(-1)).toEqual(['(other clients)', 4_000]);
  });

  it('records what is left when it is disposed of', () => {
    const refusals = new RefusalLog(log);
    refusals.add('http_client', '10.0.0.1');
    refusals[Symbol.dispose]();
    expect(actors()).toEqual([['10.0.0.1', 1]]);
  });
});
