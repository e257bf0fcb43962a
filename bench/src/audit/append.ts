import { mkdtempSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditLog } from '@temper/audit';
import { fileSink } from '@temper/audit/file';
import type { Bench } from '../types.ts';

const folder = mkdtempSync(join(tmpdir(), 'temper-bench-audit-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));

const event = {
  eventType: 'operation',
  action: 'fetch_package',
  resource: 'std.core@1.2.3',
  status: 'success',
  actor: 'build-server',
  details: { durationMs: 12, attempts: 1, registry: 'https://registry.example' },
};

let file: FileHandle | undefined;
let sequence = 0;
/** One write and one fdatasync per event, without a hash chain: the cost of durability alone. */
async function floor(): Promise<void> {
  file ??= await open(join(folder, 'floor.jsonl'), 'a');
  const line = JSON.stringify({
    sequence: ++sequence,
    timestamp: new Date().toISOString(),
    ...event,
  });
  await file.write(`${line}\n`);
  await file.datasync();
}

const log = auditLog({
  name: 'bench',
  sinks: [fileSink({ directory: join(folder, 'log') })],
});

function wave(appenders: number): () => Promise<unknown> {
  return () => Promise.all(Array.from({ length: appenders }, () => log.append(event)));
}

const group = 'audit: durable, chained, each event acknowledged after fdatasync';

/** Time per event; its inverse is events per second. */
export const appends: readonly Bench[] = [
  {
    group,
    name: 'floor: one fdatasync per event, unchained',
    floor: true,
    isUnit: true,
    fn: floor,
  },
  // One fdatasync without waiting for a batch. A second fdatasync or a timer would give 2 or more.
  { group, name: 'temper, a lone appender', aim: 1.5, fn: () => log.append(event) },
  { group, name: 'temper, 64 appenders', operations: 64, fn: wave(64) },
  { group, name: 'temper, 256 appenders', operations: 256, aim: 1 / 35, fn: wave(256) },
  {
    group,
    name: 'temper, 1 024 appenders',
    operations: 1024,
    aim: 1 / 45,
    fn: wave(1024),
    teardown: async () => {
      await file?.close();
      await log[Symbol.asyncDispose]();
    },
  },
];
