import { describe, expect, it } from 'vitest';
import { auditLog } from '../src/index.ts';
import { memorySink } from '../src/sinks/memory/memory-sink.ts';

const event = { eventType: 'operation', action: 'a', resource: 'r', status: 'success' };

describe('the verification of a log by its own writer', () => {
  it('holds the log to the number of events that the writer has stored', async () => {
    const sink = memorySink();
    await using log = auditLog({ name: 'log', sinks: [sink] });
    for (let i = 0; i < 3; i++) await log.append(event);
    expect(await log.verify()).toMatchObject({ ok: true, verdict: 'valid', events: 3 });
    // More than it has, as another process may know.
    expect(await log.verify({ size: 4 })).toMatchObject({ ok: false, verdict: 'invalid' });
  });

  it('finds events missing at the end', async () => {
    const sink = memorySink();
    await using log = auditLog({ name: 'log', sinks: [sink] });
    for (let i = 0; i < 3; i++) await log.append(event);
    const { source } = sink;
    const read = source.read.bind(source);
    source.read = async function* (range) {
      for await (const lines of read(range)) yield lines.slice(0, 2);
    };
    expect(await log.verify()).toMatchObject({ ok: false, problem: { kind: 'truncated' } });
  });
});
