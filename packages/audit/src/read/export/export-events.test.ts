import { describe, expect, it } from 'vitest';
import { auditLog } from '../../log/durable-log.ts';
import { memorySink } from '../../sinks/memory/memory-sink.ts';
import { verifyLog } from '../verify.ts';
import { type ExportOptions, exportEvents } from './export-events.ts';

type Json = Record<string, unknown>;

const sink = memorySink();
const log = auditLog({ name: 'main', sinks: [sink] });
const written = [
  await log.append({
    eventType: 'operation',
    action: 'fetch_package',
    resource: 'stdlib',
    status: 'success',
    actor: { id: 'u1', name: 'Ann', type: 'user' },
    details: { version: '1.0.0' },
    durationMs: 12.5,
  }),
  await log.append({
    eventType: 'operation',
    action: 'Delete package',
    resource: 'stdlib',
    status: 'failure',
    error: Object.assign(new Error('gone'), { code: 'ENOENT' }),
  }),
  await log.append({ eventType: 'login', action: 'approve', resource: 'r', status: 'pending' }),
];

async function exported(options: ExportOptions): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of exportEvents(sink.source, { log: 'main', ...options })) lines.push(line);
  return lines;
}

const parsed = async (options: ExportOptions): Promise<Json[]> =>
  (await exported(options)).map((line) => JSON.parse(line) as Json);

describe('export as JSON lines', () => {
  it('exports lines that verify like the log', async () => {
    const lines = await exported({});
    expect(lines.map((line) => JSON.parse(line))).toEqual(written);
    expect(await verifyLog(memorySink({ lines }).source, { size: 3 })).toMatchObject({
      ok: true,
      events: 3,
    });
  });

  it('exports only the events of the query, as a stream', async () => {
    expect(await exported({ query: { failed: true } })).toHaveLength(1);
    const lines: string[] = [];
    for await (const line of log.export({ format: 'ocsf', query: { limit: 2 } })) lines.push(line);
    expect(lines).toHaveLength(2);
  });

  it('rejects an unknown format', async () => {
    await expect(exported({ format: 'xml' as never })).rejects.toThrow(
      "format must be one of 'jsonl', 'cloudevents', 'ocsf'",
    );
  });
});

describe('export as CloudEvents', () => {
  it('writes the required attributes and allowed names of CloudEvents 1.0', async () => {
    for (const event of await parsed({ format: 'cloudevents' })) {
      expect(event).toMatchObject({
        specversion: '1.0',
        source: 'urn:temper:audit:main',
        datacontenttype: 'application/json',
      });
      for (const required of ['id', 'source', 'type']) expect(event[required]).toMatch(/./);
      expect(Object.keys(event).every((name) => /^[a-z0-9]{1,20}$/.test(name))).toBe(true);
      expect(new Date(event.time as string).toISOString()).toBe(event.time);
    }
  });

  it('writes the event as CloudEvents data', async () => {
    const [first] = await parsed({
      format: 'cloudevents',
      source: 'https://example.com/log',
      typePrefix: 'com.example',
    });
    const { id, sequence, timestamp } = written[0] as (typeof written)[0];
    expect(first).toMatchObject({
      id,
      source: 'https://example.com/log',
      type: 'com.example.operation',
      subject: 'stdlib',
      time: timestamp,
      sequence: '0000000000000001',
      data: {
        sequence,
        action: 'fetch_package',
        details: { version: '1.0.0' },
        hash: written[0]?.hash,
      },
    });
  });
});

/** Attributes that OCSF 1.6.0 requires of class API Activity and its objects, by path. */
const REQUIRED = [
  'activity_id',
  'actor',
  'api.operation',
  'category_uid',
  'class_uid',
  'metadata.product',
  'metadata.version',
  'severity_id',
  'src_endpoint',
  'time',
  'type_uid',
];
/** Objects that need at least one attribute of a list. */
const AT_LEAST_ONE: Readonly<Record<string, readonly string[]>> = {
  actor: ['process', 'user', 'iam_role', 'session', 'app_name', 'app_uid'],
  'metadata.product': ['name', 'uid'],
  src_endpoint: [
    'ip',
    'uid',
    'name',
    'hostname',
    'svc_name',
    'instance_uid',
    'interface_uid',
    'domain',
  ],
};
const at = (value: unknown, path: string): unknown =>
  path.split('.').reduce<unknown>((inner, name) => (inner as Json | undefined)?.[name], value);

describe('export as OCSF', () => {
  it('writes every attribute that the OCSF class requires', async () => {
    for (const event of await parsed({ format: 'ocsf' })) {
      for (const path of REQUIRED) expect(at(event, path), path).toBeDefined();
      for (const [path, names] of Object.entries(AT_LEAST_ONE)) {
        expect(
          names.some((name) => at(event, `${path}.${name}`) !== undefined),
          path,
        ).toBe(true);
      }
      const { class_uid, activity_id, type_uid, category_uid } = event as Record<string, number>;
      expect([class_uid, category_uid]).toEqual([6003, 6]);
      expect(type_uid).toBe((class_uid as number) * 100 + (activity_id as number));
      expect(Number.isInteger(event.time)).toBe(true);
    }
  });

  it('maps action, actor and status to OCSF', async () => {
    const [fetched, deleted, other] = await parsed({ format: 'ocsf', service: 'registry' });
    expect(fetched).toMatchObject({
      activity_id: 2,
      activity_name: 'Read',
      status_id: 1,
      status: 'Success',
      severity_id: 1,
      actor: { user: { uid: 'u1', name: 'Ann', type: 'user' } },
      api: { operation: 'fetch_package', service: { name: 'registry' } },
      resources: [{ uid: 'stdlib' }],
      metadata: { uid: written[0]?.id, sequence: 1, log_name: 'main', event_code: 'operation' },
      unmapped: { details: { version: '1.0.0' }, duration_ms: 12.5, hash: written[0]?.hash },
    });
    expect(deleted).toMatchObject({
      activity_id: 4,
      status_id: 2,
      status: 'Failure',
      severity_id: 2,
      status_code: 'ENOENT',
      status_detail: 'gone',
      actor: { app_name: 'registry' },
    });
    expect(other).toMatchObject({
      activity_id: 99,
      activity_name: 'approve',
      status_id: 99,
      status: 'pending',
    });
  });
});
