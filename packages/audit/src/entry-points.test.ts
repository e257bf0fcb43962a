import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { audited } from './audited.ts';
import type { AuditEventInput } from './chain/event.ts';
import { generateSigningKey, noteSigner, noteVerifier } from './chain/signing-key.ts';
import { postgresFleet } from './fleet/postgres-fleet.ts';
import { auditLog } from './log/durable-log.ts';
import { fileSink } from './sinks/file/file-sink.ts';
import { memorySink } from './sinks/memory/memory-sink.ts';
import { otelLogsSink } from './sinks/otel-logs/otel-logs-sink.ts';
import { postgresSink } from './sinks/postgres/postgres-sink.ts';
import { sqliteSink } from './sinks/sqlite/sqlite-sink.ts';
import { resolveServeOptions } from './socket/log-server.ts';
import { socketLog } from './socket/socket-log.ts';

const event: AuditEventInput = { eventType: 'a', action: 'b', resource: 'c', status: 'success' };
const log = auditLog({ sinks: [memorySink()] });
const pool = { connect: () => undefined, query: () => undefined };
const signer = noteSigner(generateSigningKey('example.com/audit').secretKey);

async function drain(items: AsyncIterable<unknown>): Promise<void> {
  for await (const _ of items);
}

/** Every function that takes options, each as one that may throw or reject, with valid options. */
const ENTRIES: Readonly<Record<string, readonly [(options: never) => unknown, object]>> = {
  append: [(options) => log.append(options), event],
  record: [async (options) => log.record(options), event],
  query: [(options) => log.query(options), { limit: 1 }],
  stream: [(options) => drain(log.stream(options)), { limit: 1 }],
  export: [(options) => drain(log.export(options)), { format: 'jsonl' }],
  verify: [(options) => log.verify(options), { keys: [] }],
  audited: [async (options) => audited(log, options), { action: 'a', resource: 'r' }],
  auditLog: [async (options) => auditLog(options), { sinks: [memorySink()] }],
  'auditLog limits': [async (limits) => auditLog({ limits }), {}],
  'auditLog redaction': [async (redaction) => auditLog({ redaction }), { rules: [] }],
  'auditLog checkpoints': [async (checkpoints) => auditLog({ checkpoints }), { signer }],
  fileSink: [async (options) => fileSink(options), { directory: 'x' }],
  sqliteSink: [async (options) => sqliteSink(options), { path: 'x' }],
  postgresSink: [async (options) => postgresSink(options), { pool, writer: 'w' }],
  memorySink: [async (options) => memorySink(options), {}],
  otelLogsSink: [async (options) => otelLogsSink(options), {}],
  serveLog: [async (options) => resolveServeOptions(options), { path: 'x' }],
  postgresFleet: [async (options) => postgresFleet(options), { pool }],
  socketLog: [async (options) => socketLog(options), { path: 'x' }],
};

describe.each(Object.entries(ENTRIES))('options of %s', (_, [entry, valid]) => {
  const attempt = async (options: unknown): Promise<unknown> => entry(options as never);

  it('are accepted when they are valid, and when an optional one is undefined', async () => {
    await attempt(valid);
    await attempt({ ...valid });
  });

  it.each([null, 5, 'x', true, () => undefined])(
    'are refused when they are %s and not an object',
    async (options) => {
      await expect(attempt(options)).rejects.toThrow(TypeError);
    },
  );

  it('are refused when one is unknown, with the name of the unknown one', async () => {
    await expect(attempt({ ...valid, misspelt: 1 })).rejects.toThrow(/unknown .*'misspelt'/);
  });
});

describe.each<[string, object]>([
  ['append', { details: null }],
  ['append', { details: 'x' }],
  ['append', { actor: null }],
  ['append', { actor: { id: 'ann', role: 'admin' } }],
  ['append', { action: null }],
  ['append', { durationMs: null }],
  ['append', { durationMs: '5' }],
  ['query', { failed: 'yes' }],
  ['query', { limit: null }],
  ['query', { limit: '5' }],
  ['query', { order: null }],
  ['query', { cursor: 5 }],
  ['query', { cursor: null }],
  ['query', { since: null }],
  ['query', { since: true }],
  ['query', { until: [] }],
  ['query', { details: null }],
  ['query', { details: { a: {} } }],
  ['query', { errorMessage: 5 }],
  ['query', { action: null }],
  ['query', { action: [5] }],
  ['query', { fromSequence: null }],
  ['stream', { cursor: 'x' }],
  ['stream', { toSequence: '5' }],
  ['export', { format: null }],
  ['export', { query: null }],
  ['export', { query: { colour: 'red' } }],
  ['export', { log: 5 }],
  ['export', { service: null }],
  ['export', { typePrefix: 5 }],
  ['verify', { keys: 'x' }],
  ['verify', { keys: [5] }],
  ['verify', { checkpoints: null }],
  ['verify', { requireCheckpoint: 'yes' }],
  ['verify', { signal: {} }],
  ['verify', { onProgress: 5 }],
  ['audited', { action: null }],
  ['audited', { resource: null }],
  ['audited', { actor: null }],
  ['audited', { actor: { id: 'ann', role: 'admin' } }],
  ['audited', { shouldHandle: true }],
  ['audited', { clock: {} }],
  ['auditLog', { sinks: null }],
  ['auditLog', { sinks: [null] }],
  ['auditLog', { sinks: [{}] }],
  ['auditLog', { sinks: [{ ...memorySink(), name: 'x' }] }],
  ['auditLog', { redaction: null }],
  ['auditLog', { checkpoints: null }],
  ['auditLog', { limits: null }],
  ['auditLog', { clock: null }],
  ['auditLog redaction', { rules: 'x' }],
  ['auditLog redaction', { rules: [null] }],
  ['auditLog redaction', { rules: [{ keys: 'password', action: 'mask' }] }],
  ['auditLog redaction', { rules: [{ keys: ['password'], action: 'masc' }] }],
  ['auditLog redaction', { rules: [{ key: ['password'], action: 'mask' }] }],
  ['auditLog redaction', { rules: [{ paths: [5], action: 'mask' }] }],
  ['auditLog redaction', { key: 5 }],
  ['auditLog checkpoints', { signer: undefined }],
  ['auditLog checkpoints', { signer: [] }],
  ['auditLog checkpoints', { signer: [signer, {}] }],
  ['auditLog checkpoints', { origin: 'two\nlines' }],
  ['auditLog checkpoints', { signTimeoutMs: '5' }],
  ['auditLog checkpoints', { publish: {} }],
  ['fileSink', { directory: '' }],
  ['fileSink', { gzip: 1 }],
  ['fileSink', { files: null }],
  ['sqliteSink', { path: null }],
  ['sqliteSink', { indexes: 'action' }],
  ['postgresSink', { pool: {} }],
  ['postgresSink', { writer: '' }],
  ['postgresSink', { schema: 'Public"' }],
  ['postgresSink', { indexes: [`action'); DROP TABLE x; --`] }],
  ['memorySink', { lines: [5] }],
  ['memorySink', { name: null }],
  ['otelLogsSink', { name: '' }],
])('options of %s', (name, wrong) => {
  const [entry, valid] = ENTRIES[name] as (typeof ENTRIES)[string];

  it(`are refused with ${inspect(wrong, { depth: 3, breakLength: Infinity })}`, async () => {
    const [option] = Object.keys(wrong) as [string];
    const attempt = async (): Promise<unknown> => entry({ ...valid, ...wrong } as never);
    await expect(attempt()).rejects.toThrow(TypeError);
    await expect(attempt()).rejects.toThrow(name.includes('redaction') ? /redaction/ : option);
  });
});

it('keys that are no strings are refused', () => {
  expect(() => noteSigner(5 as never)).toThrow('A secret key must start with');
  expect(() => noteVerifier(5 as never)).toThrow('A verifier key must be a string');
  expect(() => generateSigningKey(5 as never)).toThrow('The name of a key must not be empty');
});
