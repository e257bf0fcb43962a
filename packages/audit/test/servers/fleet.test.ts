import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateSigningKey, noteSigner } from '../../src/chain/signing-key.ts';
import { checkFleetProof, postgresFleet, proveFleet } from '../../src/fleet/index.ts';
import type { AuditLog } from '../../src/log/audit-log.ts';
import { auditLog } from '../../src/log/durable-log.ts';
import { postgresSink } from '../../src/sinks/postgres/postgres-sink.ts';
import { type PostgresServer, postgresBinaries, startPostgres } from '../postgres-server.ts';

const available = postgresBinaries() !== undefined;
if (!available && process.env.CI === 'true') throw new Error('PostgreSQL is missing.');
if (!available) console.warn('PostgreSQL is not installed: its suites are skipped.');

const key = generateSigningKey('example.com/fleet');
const signer = noteSigner(key.secretKey);
const keys = [key.verifierKey];

let server: PostgresServer;
let pool: pg.Pool;
beforeAll(async () => {
  if (!available) return;
  server = await startPostgres();
  pool = new pg.Pool({ connectionString: server.connectionString, max: 12 });
  pool.on('error', () => undefined);
});
afterAll(async () => {
  await pool?.end();
  await server?.stop();
});

let schemas = 0;
/** A fleet of three logs, `a`, `b` and `c`, with 3 events each. */
async function fleetOf(...writers: string[]) {
  const schema = `f${++schemas}`;
  const open = (writer: string): AuditLog =>
    auditLog({ id: `log-${writer}`, sinks: [postgresSink({ pool, writer, schema })] });
  const append = async (writer: string, count: number): Promise<void> => {
    const log = open(writer);
    for (let i = 0; i < count; i++) {
      await log.append({ eventType: 't', action: `${writer}${i}`, resource: 'r', status: 's' });
    }
    await log.close();
  };
  for (const writer of writers) await append(writer, 3);
  const fleet = postgresFleet({ pool, schema, signer });
  const remove = async (writer: string): Promise<void> => {
    for (const table of ['event', 'head', 'checkpoint', 'anchor']) {
      await pool.query(`DELETE FROM "${schema}".audit_${table} WHERE writer = $1`, [writer]);
    }
  };
  return { schema, open, append, fleet, remove };
}

describe.runIf(available)('a checkpoint of a fleet on PostgreSQL', { timeout: 60_000 }, () => {
  it('commits to every log, and its successor to what has come since', async () => {
    const { fleet, append } = await fleetOf('a', 'b', 'c');
    const first = await fleet.checkpoint();
    await append('b', 2);
    await append('d', 1);
    const second = await fleet.checkpoint();
    const sizes = (text: string): unknown =>
      (JSON.parse(text) as { members: { log: string; size: number }[] }).members.map(
        ({ log, size }) => [log, size],
      );
    expect(sizes(first)).toEqual([
      ['log-a', 3],
      ['log-b', 3],
      ['log-c', 3],
    ]);
    expect(sizes(second)).toEqual([
      ['log-a', 3],
      ['log-b', 5],
      ['log-c', 3],
      ['log-d', 1],
    ]);
    const report = await fleet.verify({ checkpoints: [first, second], keys });
    expect(report).toMatchObject({ ok: true, problems: [], notShown: [], number: 2 });
    expect(report.logs.get('log-b')).toMatchObject({ ok: true, events: 5 });
  });

  it('reveals a log that was rolled back, rewritten or removed, each with a valid chain', async () => {
    for (const [how, kind, refusal] of [
      ['rolled back', 'log', /less than the 3 events/],
      ['rewritten', 'log', /was changed since/],
      ['removed', 'removed', /is missing/],
    ] as const) {
      const { fleet, append, remove } = await fleetOf('a', 'b');
      const kept = await fleet.checkpoint();
      await remove('b');
      if (how === 'rolled back') await append('b', 2);
      if (how === 'rewritten') await append('b', 5);
      const report = await fleet.verify({ checkpoints: [kept], keys });
      expect(report.problems, how).toMatchObject([{ kind, log: 'log-b' }]);
      expect(report.ok).toBe(false);
      expect(report.logs.get('log-a')?.ok).toBe(true);
      await expect(fleet.checkpoint(), how).rejects.toThrow(refusal);
    }
  });

  it('says so if it was given none, or not every log is covered', async () => {
    const { fleet, append } = await fleetOf('a');
    const nothing = await fleet.verify({ checkpoints: [], keys });
    expect(nothing.ok).toBe(false);
    expect(nothing.notShown[0]).toContain('logs may be missing');
    const kept = await fleet.checkpoint();
    await append('b', 1);
    const report = await fleet.verify({ checkpoints: [kept], keys });
    expect(report.ok).toBe(true);
    expect(report.notShown).toEqual(['No checkpoint covers the log log-b.']);
  });

  it('is refused if its text, its members or its key are others', async () => {
    const { fleet } = await fleetOf('a', 'b');
    const kept = await fleet.checkpoint();
    const other = generateSigningKey('example.com/fleet').verifierKey;
    for (const [text, trusted] of [
      [kept, other],
      [kept.replace('"size":3', '"size":2'), key.verifierKey],
      [kept.replace('"retired":false', '"retired":true'), key.verifierKey],
      [kept.replace(/\{"log":"log-a".*?\},/, ''), key.verifierKey],
      [kept.slice(0, -10), key.verifierKey],
    ] as const) {
      const { ok, problems } = await fleet.verify({ checkpoints: [text], keys: [trusted] });
      expect(problems).toMatchObject([{ kind: 'checkpoint' }]);
      expect(ok).toBe(false);
    }
    const wrong = await fleet.verify({ checkpoints: [kept], keys, origin: 'example.com/x' });
    expect(wrong.problems).toMatchObject([{ kind: 'checkpoint' }]);
  });

  it('lets a log leave that was named, once and for all', async () => {
    const { fleet, remove, append } = await fleetOf('a', 'b');
    const first = await fleet.checkpoint();
    await expect(fleet.checkpoint({ retire: ['log-x'] })).rejects.toThrow('not known');
    await remove('b');
    const second = await fleet.checkpoint({ retire: ['log-b'] });
    const third = await fleet.checkpoint();
    expect(await fleet.verify({ checkpoints: [first, second, third], keys })).toMatchObject({
      ok: true,
      number: 3,
    });
    // Without the later checkpoints nobody knows that it was to leave.
    expect((await fleet.verify({ checkpoints: [first], keys })).problems).toMatchObject([
      { kind: 'removed', log: 'log-b' },
    ]);
    // Another log cannot come in its name.
    await append('b', 5);
    expect((await fleet.verify({ checkpoints: [third], keys })).problems).toMatchObject([
      { kind: 'log', log: 'log-b' },
    ]);
  });

  it('is not signed unless the store continues the last published one', async () => {
    const { fleet, schema, append } = await fleetOf('a');
    const first = await fleet.checkpoint();
    await append('a', 1);
    const second = await fleet.checkpoint();
    const held = (last: string) => postgresFleet({ pool, schema, signer, last: () => last });
    await held(first).checkpoint();
    await pool.query(`DELETE FROM "${schema}".audit_fleet WHERE number > 1`);
    await expect(held(second).checkpoint()).rejects.toThrow('ends at checkpoint 1');
    await append('a', 1);
    const fork = await fleet.checkpoint();
    await expect(held(second).checkpoint()).rejects.toThrow('another checkpoint 2');
    expect((await fleet.verify({ checkpoints: [second, fork], keys })).problems).toMatchObject([
      { kind: 'fork' },
    ]);
    await pool.query(`DELETE FROM "${schema}".audit_fleet`);
    await expect(held(second).checkpoint()).rejects.toThrow('has no checkpoint');
    // Who can write to the store cannot sign in the fleet's name.
    await fleet.checkpoint();
    await pool.query(`UPDATE "${schema}".audit_fleet SET members = '[]'`);
    await expect(fleet.checkpoint()).rejects.toThrow('not those that the note');
  });

  it('is signed by several processes at a time, beside writers, without a gap or a fork', async () => {
    const { fleet, schema, open } = await fleetOf('a', 'b');
    const logs = [open('a'), open('b')];
    let writing = true;
    const writers = logs.map(async (log) => {
      while (writing) {
        await log.append({ eventType: 't', action: 'more', resource: 'r', status: 's' });
      }
    });
    const program = fileURLToPath(new URL('../programs/fleet-signer.mjs', import.meta.url));
    const settings = JSON.stringify({
      connectionString: server.connectionString,
      schema,
      secretKey: key.secretKey,
      count: 5,
    });
    const run = promisify(execFile);
    const others = await Promise.all(
      [1, 2].map(() => run(process.execPath, ['--no-warnings', program, settings])),
    );
    const own = await Promise.all([1, 2, 3].map(() => fleet.checkpoint()));
    writing = false;
    await Promise.all(writers);
    await Promise.all(logs.map((log) => log.close()));
    const checkpoints = [...others.flatMap(({ stdout }) => stdout.trim().split('\n')), ...own];
    expect(new Set(checkpoints).size).toBe(13);
    const report = await fleet.verify({ checkpoints, keys });
    expect(report).toMatchObject({ ok: true, problems: [], number: 13 });
    const numbers = await pool.query(`SELECT number::int FROM "${schema}".audit_fleet ORDER BY 1`);
    expect(numbers.rows.map(({ number }) => number)).toEqual(
      Array.from({ length: 13 }, (_, i) => i + 1),
    );
  });

  it('proves that an event is in a log of it to whoever has the note', async () => {
    const { fleet, append } = await fleetOf('a', 'b', 'c');
    const text = await fleet.checkpoint();
    await append('b', 4);
    const source = (await fleet.sources()).get('log-b');
    if (source === undefined) throw new Error('There is no log.');
    const proof = await proveFleet(source, text, 'log-b', 2);
    const { note } = JSON.parse(text) as { note: string };
    expect(checkFleetProof(proof, note, keys)).toBe(true);
    expect(JSON.stringify(proof)).not.toContain('log-a');
    const { event, membership } = proof;
    for (const wrong of [
      { event: { ...event, hash: '0'.repeat(64) }, membership },
      { event: { ...event, log: 'log-a' }, membership },
      { event, membership: { ...membership, index: 0 } },
      { event, membership: { ...membership, index: -1 } },
      { event, membership: { ...membership, member: { ...membership.member, size: 2 } } },
      { event, membership: { ...membership, nodes: ['x'] } },
    ]) {
      expect(checkFleetProof(wrong, note, keys)).toBe(false);
    }
    const stranger = [generateSigningKey('example.com/fleet').verifierKey];
    expect(() => checkFleetProof(proof, note, stranger)).toThrow('No known key');
    expect(() => checkFleetProof(proof, note, [])).toThrow(TypeError);
    await expect(proveFleet(source, text, 'log-b', 4)).rejects.toThrow(RangeError);
    await expect(proveFleet(source, text, 'log-x', 1)).rejects.toThrow(RangeError);
  });
});
