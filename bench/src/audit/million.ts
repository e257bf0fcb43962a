import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Context, context, ROOT_CONTEXT, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { auditLog, generateSigningKey, noteSigner } from '@temper/audit';
import { FileSource, fileSink } from '@temper/audit/file';
import { exportEvents, queryPage, verifyLog } from '@temper/audit/read';
import type { AuditSink, AuditSource } from '@temper/audit/sink';
import { SqliteSource, sqliteSink } from '@temper/audit/sqlite';

/*
 * Measures the time and memory to verify and to query a log of a million events.
 *
 *   node dist/audit/million.js [events]
 *
 * Every figure is measured in a separate process. Memory is the peak resident set size, of which about
 * 50 MB are Node itself.
 */

type Store = 'files' | 'SQLite';

/** One figure. */
export interface MillionResult {
  readonly store: Store;
  readonly work: string;
  readonly ms: number;
  /** CPU time of all threads. */
  readonly cpuMs: number;
  readonly maxRssMb: number;
  /** Number of events that were verified or found. */
  readonly count: number;
}

interface Place {
  readonly store: Store;
  readonly path: string;
  readonly verifierKey: string;
  readonly events: number;
  /** Trace id of an event in the middle of the log. */
  readonly traceId: string;
  readonly since: string;
  readonly until: string;
}

const WORK: Readonly<Record<string, (source: AuditSource, place: Place) => Promise<number>>> = {
  'verify the chain and every signed checkpoint': async (source, { verifierKey }) => {
    const report = await verifyLog(source, { keys: [verifierKey] });
    if (!report.ok) throw new Error(JSON.stringify(report.problem));
    return report.events;
  },
  'the last 100 events': async (source) => (await queryPage(source, { limit: 100 })).events.length,
  'one event by trace id': async (source, { traceId }) =>
    (await queryPage(source, { traceId, limit: 1, order: 'asc' })).events.length,
  '100 events of a rare action, newest first': async (source) =>
    (await queryPage(source, { action: 'delete_package' })).events.length,
  'the events of a second in the middle': async (source, { since, until }) =>
    (await queryPage(source, { since, until, limit: 10_000 })).events.length,
  'export all as JSON lines': async (source) => {
    let lines = 0;
    for await (const _ of exportEvents(source)) lines++;
    return lines;
  },
};

function sourceAt({ store, path }: Place): AuditSource {
  return store === 'files' ? new FileSource(path) : new SqliteSource(path);
}

/** Writes the log with concurrent appends and default checkpoints. */
async function write(store: Store, directory: string, events: number): Promise<Place> {
  const path = join(directory, store === 'files' ? 'log' : 'audit.db');
  const sink: AuditSink = store === 'files' ? fileSink({ directory: path }) : sqliteSink({ path });
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
  const { secretKey, verifierKey } = generateSigningKey('bench');
  const log = auditLog({ sinks: [sink], checkpoints: { signer: noteSigner(secretKey) } });
  for (let i = 0; i < events; i += 1_000) {
    await Promise.all(
      Array.from({ length: Math.min(1_000, events - i) }, (_, n) =>
        context.with(spanOf(i + n), () =>
          log.append({
            eventType: 'operation',
            action: (i + n) % 5_000 === 0 ? 'delete_package' : 'fetch_package',
            resource: `package-${(i + n) % 997}`,
            status: (i + n) % 50 === 0 ? 'failure' : 'success',
            actor: `user-${(i + n) % 101}`,
            details: { version: '1.2.3', sizeMb: 2.5, attempt: n % 3 },
            durationMs: n % 250,
          }),
        ),
      ),
    );
  }
  const middle = (await log.query({ fromSequence: events >> 1, toSequence: events >> 1 }))
    .events[0];
  await log.close();
  const at = Date.parse(middle?.timestamp ?? '');
  return {
    store,
    path,
    verifierKey,
    events,
    traceId: traceOf(events >> 1),
    since: new Date(at).toISOString(),
    until: new Date(at + 1_000).toISOString(),
  };
}

const traceOf = (n: number): string => (n + 1).toString(16).padStart(32, '0');

/** A context with its own trace, as if the event came from a separate request. */
function spanOf(n: number): Context {
  const spanId = (n + 1).toString(16).padStart(16, '0');
  return trace.setSpanContext(ROOT_CONTEXT, { traceId: traceOf(n), spanId, traceFlags: 1 });
}

function sizeOf(path: string): number {
  const found = statSync(path);
  if (!found.isDirectory()) return found.size;
  return readdirSync(path).reduce((sum, name) => sum + statSync(join(path, name)).size, 0);
}

/** Measures each piece of work in a separate process. */
export async function measureMillion(events = 1_000_000): Promise<readonly MillionResult[]> {
  const results: MillionResult[] = [];
  for (const store of ['files', 'SQLite'] as const) {
    const directory = mkdtempSync(join(tmpdir(), 'temper-bench-million-'));
    try {
      const place = await write(store, directory, events);
      console.log(`${store}: ${events} events in ${Math.round(sizeOf(place.path) / 2 ** 20)} MiB`);
      for (const work of Object.keys(WORK)) {
        const args = [fileURLToPath(import.meta.url), '--one', work, JSON.stringify(place)];
        const { stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
        if (stderr !== '') console.error(stderr);
        results.push({
          store,
          work,
          ...(JSON.parse(stdout) as Omit<MillionResult, 'store' | 'work'>),
        });
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  }
  return results;
}

async function measureOne(work: string, place: Place): Promise<void> {
  const startedAt = performance.now();
  const before = process.cpuUsage();
  const count = (await WORK[work]?.(sourceAt(place), place)) ?? 0;
  const ms = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(before);
  const cpuMs = Math.round((user + system) / 1_000);
  const maxRssMb = Math.round(process.resourceUsage().maxRSS / 1_024);
  process.stdout.write(JSON.stringify({ ms: Math.round(ms), cpuMs, maxRssMb, count }));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [mode, work, place] = process.argv.slice(2);
  if (mode === '--one') await measureOne(work as string, JSON.parse(place as string) as Place);
  else {
    console.log(
      '| work | store | time | processor | memory | events |\n| --- | --- | --- | --- | --- | --- |',
    );
    for (const { work: name, store, ms, cpuMs, maxRssMb, count } of await measureMillion(
      Number(mode ?? 1e6),
    )) {
      console.log(`| ${name} | ${store} | ${ms} ms | ${cpuMs} ms | ${maxRssMb} MB | ${count} |`);
    }
  }
}
