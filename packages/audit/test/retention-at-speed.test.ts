import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateSigningKey, noteSigner } from '../src/chain/signing-key.ts';
import { auditLog } from '../src/log/durable-log.ts';
import { verifyLog } from '../src/read/verify.ts';
import { fileSink } from '../src/sinks/file/file-sink.ts';
import { FileSource } from '../src/sinks/file/file-source.ts';
import type { AuditSink, AuditSource } from '../src/sinks/sink.ts';
import { sqliteSink } from '../src/sinks/sqlite/sqlite-sink.ts';
import { SqliteSource } from '../src/sinks/sqlite/sqlite-source.ts';
import { temporaryDirectory } from './temporary-directory.ts';

const key = generateSigningKey('example.com/audit');
const EVENTS = 1_500;

interface Store {
  sink(path: string): AuditSink;
  source(path: string): AuditSource & { close?(): Promise<void> };
}

/** So small that events are removed all the time. */
const STORES: Readonly<Record<string, Store>> = {
  files: {
    sink: (directory) => fileSink({ directory, maxSegmentBytes: 8_192, maxSegments: 3 }),
    source: (directory) => new FileSource(directory),
  },
  'files without compression': {
    sink: (directory) =>
      fileSink({ directory, maxSegmentBytes: 4_096, maxSegments: 2, gzip: false }),
    source: (directory) => new FileSource(directory),
  },
  SQLite: {
    sink: (path) => sqliteSink({ path: `${path}.db`, maxEvents: 100 }),
    source: (path) => new SqliteSource(`${path}.db`),
  },
};

describe.each(Object.entries(STORES))('verification of %s', { timeout: 120_000 }, (_, store) => {
  it('raises no false alarm while retention removes events all the time', async () => {
    using directory = temporaryDirectory();
    const path = join(directory.path, 'log');
    const log = auditLog({
      sinks: [store.sink(path)],
      checkpoints: { signer: noteSigner(key.secretKey), everyEvents: 50 },
    });
    await log.append({ eventType: 'o', action: 'first', resource: 'r', status: 's' });
    await log.checkpoint();
    let running = true;
    const write = async (): Promise<void> => {
      for (let i = 0; i < EVENTS; i += 10) {
        await Promise.all(
          Array.from({ length: 10 }, (_, n) =>
            log.append({ eventType: 'o', action: `n${i + n}`, resource: 'r', status: 's' }),
          ),
        );
      }
      running = false;
    };
    const anchors = new Set<number>();
    const check = async (): Promise<void> => {
      const source = store.source(path);
      while (running) {
        const { problem, anchor } = await verifyLog(source, { keys: [key.verifierKey] });
        expect(problem).toBeUndefined();
        if (anchor !== undefined) anchors.add(anchor.sequence);
      }
      await source.close?.();
    };
    await Promise.all([write(), check(), check()]);
    await log.close();
    expect(anchors.size).toBeGreaterThan(3);
  });
});
