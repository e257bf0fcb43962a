import { describe, expect, it } from 'vitest';
import type { AuditEvent } from '../../chain/event.ts';
import { memorySink } from '../../sinks/memory/memory-sink.ts';
import { toCloudEvent } from './cloudevents.ts';
import { exportEvents } from './export-events.ts';

describe('CloudEvents', () => {
  it('have attributes of the right types whatever the event says', () => {
    const event = {
      id: 'i',
      sequence: 1,
      timestamp: '2026-01-01T00:00:00.000Z',
      eventType: 'log in\n\u0085\uffff\u{1ffff}',
      action: 'a\n',
      resource: 'r\u0007',
      status: 's',
      details: {},
    } as unknown as AuditEvent;
    const cloud = toCloudEvent(event, 'my log/ü#1');
    expect(cloud).toMatchObject({
      source: 'urn:temper:audit:my%20log%2F%C3%BC%231',
      type: 'temper.audit.log in\ufffd\ufffd\ufffd\ufffd',
      subject: 'r\ufffd',
      data: { eventType: event.eventType, resource: event.resource, action: 'a\n' },
    });
    expect(URL.canParse(cloud.source as string)).toBe(true);
  });

  it.each(['', 'two words', 'a\n', '%zz', '<x>', 'ü'])('have no source %j', async (source) => {
    const lines = exportEvents(memorySink().source, { format: 'cloudevents', source });
    await expect(lines[Symbol.asyncIterator]().next()).rejects.toThrow(TypeError);
  });
});
