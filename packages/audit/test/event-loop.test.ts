import { stat } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import type { AuditEventInput } from '../src/chain/event.ts';
import { auditLog } from '../src/log/durable-log.ts';
import type { AuditLogOptions } from '../src/log/options.ts';
import { fileSink } from '../src/sinks/file/file-sink.ts';
import { memorySink } from '../src/sinks/memory/memory-sink.ts';
import { otelLogsSink } from '../src/sinks/otel-logs/otel-logs-sink.ts';
import { sqliteSink } from '../src/sinks/sqlite/sqlite-sink.ts';
import { ScriptedSink } from './scripted-sink.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const event: AuditEventInput = { eventType: 'a', action: 'b', resource: 'c', status: 'success' };
/** Far more appends than any of the logs below answers in one turn of the event loop. */
const APPENDS = 2_000;

/** A sink whose every open fails, without I/O. */
function broken(): ScriptedSink {
  const sink = new ScriptedSink('broken');
  sink.failOpenWith = new Error('no disk');
  return sink;
}

const LOGS: Readonly<Record<string, (directory: string) => AuditLogOptions>> = {
  'stores events in memory': () => ({ sinks: [memorySink()] }),
  'stores events in a sink that answers at once': () => ({ sinks: [new ScriptedSink('quick')] }),
  'emits OpenTelemetry log records': () => ({ sinks: [otelLogsSink()] }),
  'stores events in files': (directory) => ({ sinks: [fileSink({ directory })] }),
  'stores events in SQLite': (directory) => ({
    sinks: [sqliteSink({ path: `${directory}/a.db` })],
  }),
  'refuses events': () => ({ sinks: [broken()], sinkRetryMs: 60_000 }),
  'degrades while its sink is broken': () => ({
    sinks: [broken()],
    sinkRetryMs: 60_000,
    whenUnavailable: 'degrade',
  }),
};

describe('the event loop', () => {
  it.each(Object.keys(LOGS))(
    'turns while a caller appends in a loop to a log that %s',
    async (name) => {
      using directory = temporaryDirectory();
      const log = auditLog(LOGS[name]?.(directory.path));
      await log.ready().catch(() => undefined);
      let read = false;
      void stat(directory.path).then(() => {
        read = true;
      });
      let appended = 0;
      while (!read && appended < APPENDS) {
        await log.append(event).catch(() => undefined);
        appended++;
      }
      expect(appended).toBeLessThan(APPENDS);
      await log.close().catch(() => undefined);
    },
  );
});
