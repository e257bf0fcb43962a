import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryDirectory } from '../test/temporary-directory.ts';
import { listening, logKey, runningWitness } from '../test/witnessed.ts';
import * as erasure from './erasure/index.ts';
import { FLEET_DEFAULTS, postgresFleet } from './fleet/postgres-fleet.ts';
import * as api from './index.ts';
import { AUDIT_DEFAULTS, CHECKPOINT_DEFAULTS, DEFAULT_LIMITS } from './log/options.ts';
import * as reading from './read/index.ts';
import type { VerifyReport } from './read/verify-report.ts';
import { AUDIT_METRICS, EVENT_OUTCOMES, SHIP_METRICS } from './semconv.ts';
import * as shipping from './ship/index.ts';
import { SHIP_DEFAULTS } from './ship/ship-options.ts';
import { fileSink } from './sinks/file/file-sink.ts';
import { FILE_SINK_DEFAULTS } from './sinks/file/file-sink-options.ts';
import * as file from './sinks/file/index.ts';
import { MEMORY_SINK_DEFAULTS } from './sinks/memory/memory-sink.ts';
import { POSTGRES_SINK_DEFAULTS, postgresSink } from './sinks/postgres/postgres-sink.ts';
import { SQLITE_SINK_DEFAULTS, sqliteSink } from './sinks/sqlite/sqlite-sink.ts';
import { CLIENT_DEFAULTS } from './socket/client-options.ts';
import * as sockets from './socket/index.ts';
import { resolveServeOptions, SERVE_DEFAULTS } from './socket/log-server.ts';
import * as witnesses from './witness/index.ts';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** The rows of every table, by the first cell of its header, in order of appearance. */
function tables(header: string): string[][][] {
  return readme
    .split('\n\n')
    .map((block) => block.split('\n').filter((line) => line.startsWith('|')))
    .filter(([first]) => first?.split('|')[1]?.trim() === header)
    .map((rows) =>
      rows.slice(2).map((row) =>
        row
          .split('|')
          .slice(1, -1)
          .map((cell) => cell.trim()),
      ),
    );
}

/** The options that a factory accepts, from the message of its error for an unknown option. */
function known(make: (options: never) => unknown): string[] {
  try {
    make({ misspelt: 1 } as never);
  } catch (error) {
    return (/known are (.*)\.$/.exec((error as Error).message)?.[1] ?? '').split(', ');
  }
  throw new Error('The factory accepts an unknown option.');
}

const code = (text: string): string => `\`${text}\``;

function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map((item) => `'${item}'`).join(', ')}]`;
  if (typeof value === 'string') return `'${value}'`;
  return typeof value === 'number' && Number.isFinite(value)
    ? String(value).replaceAll(/\B(?=(\d{3})+$)/g, '_')
    : String(value);
}

describe('README', () => {
  it('has an example that runs without error', async () => {
    const example = /```ts\n([\s\S]*?)```/.exec(readme)?.[1] ?? '';
    using directory = temporaryDirectory();
    const body = example
      .replace(/import \{(.*)\} from '@temper\/audit';/, 'const {$1} = audit;')
      .replace(/import \{(.*)\} from '@temper\/audit\/file';/, 'const {$1} = file;')
      .replace("'./audit'", JSON.stringify(directory.path));
    expect(body).not.toContain('import');
    const AsyncFunction = (async () => {}).constructor as new (
      ...args: string[]
    ) => (audit: typeof api, sinks: typeof file) => Promise<VerifyReport>;
    const report = await new AsyncFunction('audit', 'file', `${body}; return report;`)(api, file);
    expect(report).toMatchObject({ ok: true, events: 1, checkpoints: { trusted: 1, covered: 1 } });
  });

  it('has an example of witnesses that runs without error', async () => {
    const example = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)]
      .map(([, text = '']) => text)
      .find((text) => text.includes('checkpointPublisher'));
    using directory = temporaryDirectory();
    await using running = await runningWitness();
    const body = (example ?? '')
      .replaceAll(/import \{(.*)\} from '(.*)';/g, 'const {$1} = imports;')
      .replace("'/mnt/other-host/checkpoints'", JSON.stringify(join(directory.path, 'held')))
      .replace("'./audit'", JSON.stringify(join(directory.path, 'audit')));
    const AsyncFunction = (async () => {}).constructor as new (
      ...args: string[]
    ) => (...args: unknown[]) => Promise<{ report: VerifyReport; witnessed: number }>;
    const names = ['imports', 'verifierKey', 'secretKey', 'witnessUrl', 'witnessKey'];
    const { report, witnessed } = await new AsyncFunction(
      ...names,
      `${body}; return { report, witnessed };`,
    )(
      { ...api, ...file, ...witnesses },
      logKey.verifierKey,
      logKey.secretKey,
      running.url,
      running.verifierKey,
    );
    expect(report).toMatchObject({ ok: true, checkpoints: { covered: 1 } });
    expect(witnessed).toBe(1);
  });

  it('has an example of erasure that runs without error', async () => {
    const example = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)]
      .map(([, text = '']) => text)
      .find((text) => text.includes('subjectKeys'));
    using directory = temporaryDirectory();
    const body = (example ?? '')
      .replaceAll(/import \{(.*)\} from '(.*)';/g, 'const {$1} = imports;')
      .replace("'./subject-keys'", JSON.stringify(join(directory.path, 'keys')))
      .replace("'./audit'", JSON.stringify(join(directory.path, 'audit')));
    const AsyncFunction = (async () => {}).constructor as new (
      ...args: string[]
    ) => (imports: object) => Promise<object>;
    const run = new AsyncFunction('imports', `${body}; return { before, destroyed, after };`);
    expect(await run({ ...api, ...file, ...erasure })).toEqual({
      before: { email: 'ann@example.com' },
      destroyed: [expect.stringMatching(/^[0-9a-f]{32}$/)],
      after: { email: expect.stringMatching(/^sealed:v1:/) },
    });
  });

  it('has an example of shipping that runs without error', async () => {
    const example = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)]
      .map(([, text = '']) => text)
      .find((text) => text.includes('httpCollector'));
    using directory = temporaryDirectory();
    await using server = await listening((request, response) => {
      request.resume().on('end', () => response.end('{"text":"Success","code":0}'));
    });
    const body = (example ?? '')
      .replaceAll(/import \{(.*)\} from '(.*)';/g, 'const {$1} = imports;')
      .replace("'./audit.cursor'", JSON.stringify(join(directory.path, 'cursor')))
      .replace("'./audit'", JSON.stringify(join(directory.path, 'audit')));
    const AsyncFunction = (async () => {}).constructor as new (
      ...args: string[]
    ) => (imports: object, url: string) => Promise<object>;
    const run = new AsyncFunction('imports', 'collectorUrl', `${body}; return { shipped, lag };`);
    const imports = { ...api, ...file, ...shipping };
    expect(await run(imports, `${server.url}/services/collector/event`)).toEqual({
      shipped: 1,
      lag: 0,
    });
  });

  it('has an example of recorded reads that runs without error', async () => {
    const example = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)]
      .map(([, text = '']) => text)
      .find((text) => text.includes('recordedReads'));
    using directory = temporaryDirectory();
    const body = (example ?? '')
      .replaceAll(/import \{(.*)\} from '(.*)';/g, 'const {$1} = imports;')
      .replace('process.stdout.write', 'lines.push')
      .replace("'./audit'", JSON.stringify(directory.path));
    const AsyncFunction = (async () => {}).constructor as new (
      ...args: string[]
    ) => (imports: object, lines: string[]) => Promise<object>;
    const run = new AsyncFunction('imports', 'lines', `${body}; return { events, recorded };`);
    const lines: string[] = [];
    expect(await run({ ...api, ...file, ...reading }, lines)).toMatchObject({
      events: [{ action: 'sign_in' }],
      recorded: [{ status: 'success' }, { status: 'started' }, { action: 'query' }],
    });
    expect(lines.length).toBeGreaterThan(0);
  });

  it('has an example of several processes that runs without error', async () => {
    const example = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)]
      .map(([, text = '']) => text)
      .find((text) => text.includes('serveLog'));
    using directory = temporaryDirectory();
    const body = (example ?? '')
      .replaceAll(/import \{(.*)\} from '(.*)';/g, 'const {$1} = imports;')
      .replaceAll("'./audit.sock'", JSON.stringify(join(directory.path, 's')))
      .replace("'./audit'", JSON.stringify(join(directory.path, 'audit')));
    const AsyncFunction = (async () => {}).constructor as new (
      ...args: string[]
    ) => (imports: object) => Promise<object>;
    const run = new AsyncFunction('imports', `${body}; return stored;`);
    expect(await run({ ...api, ...file, ...sockets })).toMatchObject({
      sequence: 1,
      action: 'sign_in',
    });
  });

  it.each([
    ['the log', 0, AUDIT_DEFAULTS, known(api.auditLog)],
    ['limits', 1, DEFAULT_LIMITS, known((limits) => api.auditLog({ limits }))],
    ['checkpoints', 2, CHECKPOINT_DEFAULTS, known((checkpoints) => api.auditLog({ checkpoints }))],
    ['files', 3, FILE_SINK_DEFAULTS, known(fileSink)],
    ['SQLite', 4, SQLITE_SINK_DEFAULTS, known(sqliteSink)],
    ['PostgreSQL', 5, POSTGRES_SINK_DEFAULTS, known(postgresSink)],
    [
      'shipping',
      6,
      SHIP_DEFAULTS,
      known((options) => shipping.ship({} as never, { name: 't', send: async () => {} }, options)),
    ],
    ['serving', 7, { ...SERVE_DEFAULTS, mode: '0o600' }, known(resolveServeOptions)],
    ['clients', 8, CLIENT_DEFAULTS, known(sockets.socketLog)],
    ['a fleet', 9, FLEET_DEFAULTS, known(postgresFleet)],
  ])('lists every option of %s with its default', (_, at, defaults, names) => {
    const rows = tables('option')[at] ?? [];
    const options = new Map(
      rows.map(([name = '', value = '']) => [name.replaceAll('`', ''), value]),
    );
    expect([...options.keys()].sort()).toEqual([...names].sort());
    for (const [name, value] of Object.entries(defaults)) {
      const text = name === 'mode' ? String(value) : shown(value);
      expect([name, options.get(name)]).toEqual([name, code(text)]);
    }
  });

  it('lists every entry point with the values it exports', async () => {
    const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
    const targets = manifest.exports as Record<string, { import?: { default: string } }>;
    const entries = Object.entries(targets).flatMap(([subpath, target]) =>
      target.import === undefined ? [] : [[subpath, target.import.default] as const],
    );
    const listed = new Map(
      tables('entry point')[0]?.map(([name = '', names = '']) => [name, names]),
    );
    expect([...listed.keys()].sort()).toEqual(
      entries.map(([subpath]) => code(`@temper/audit${subpath.slice(1)}`)).sort(),
    );
    for (const [subpath, target] of entries) {
      if (subpath === './semconv') continue;
      const source = target.replace('./dist/', './').replace(/\.js$/, '.ts');
      const exported = Object.keys((await import(source)) as object);
      const names = listed.get(code(`@temper/audit${subpath.slice(1)}`)) ?? '';
      const shownNames = [...names.matchAll(/`(\w+)`/g)].map(([, name]) => name);
      const isError = (name: string): boolean => /^Audit\w+Error$/.test(name);
      expect(shownNames.sort()).toEqual(exported.filter((name) => !isError(name)).sort());
    }
  });

  it('states the capacity of memorySink', () => {
    expect(readme).toContain(`keeps the last ${code(shown(MEMORY_SINK_DEFAULTS.capacity))} events`);
  });

  it('lists every metric as the code defines it', () => {
    expect(tables('metric')[0]).toEqual(
      [...AUDIT_METRICS, ...SHIP_METRICS].map(({ name, instrument, unit, attributes }) => [
        code(name),
        instrument,
        code(unit),
        attributes.map((attribute) => code(attribute.name)).join(', '),
      ]),
    );
    for (const outcome of EVENT_OUTCOMES) expect(readme).toContain(code(outcome));
  });

  it('lists every error with its code', () => {
    const errors = [
      new api.AuditUnavailableError('log', 1, []),
      new api.AuditLockedError('sink', 'place'),
      new api.AuditCorruptError('sink', 'place', 1, 'what'),
      new api.AuditForkedError('sink', 'log', 1),
      new api.AuditLossError('log', 1),
      new api.AuditClosedError('log'),
    ];
    const listed = tables('error')[0]?.map(([name, value]) => [name, value]);
    expect(listed).toEqual(errors.map((error) => [code(error.name), code(error.code)]));
    const exported = Object.keys(api).filter((name) => /^Audit\w+Error$/.test(name));
    expect(exported.sort()).toEqual(errors.map(({ name }) => name).sort());
  });
});
