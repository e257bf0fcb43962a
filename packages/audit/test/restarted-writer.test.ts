import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { generateSigningKey, noteSigner } from '../src/chain/signing-key.ts';
import { auditLog } from '../src/log/durable-log.ts';
import type { AuditLogOptions } from '../src/log/options.ts';
import { verifyLog } from '../src/read/verify.ts';
import { inFiles, inSqlite, rewritten, type Store, type Stored, tableRows } from './open-store.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** Events of the log, and events that its last checkpoint covers. */
const [EVENTS, COVERED] = [20, 18];
const key = generateSigningKey('example.com/audit');
const signer = noteSigner(key.secretKey);

interface Log extends Stored {
  readonly id: string;
  /** The last checkpoint, as it was published. */
  readonly last: string;
}

/** Writes a log; closing it would sign the rest, which this adversary comes before. */
async function written(store: Store, options: AuditLogOptions = {}, origin?: string): Promise<Log> {
  const log = auditLog({
    ...options,
    sinks: [store.sink()],
    checkpoints: { signer, everyMs: Number.POSITIVE_INFINITY, ...(origin && { origin }) },
  });
  let last = '';
  let id = '';
  for (let i = 1; i <= EVENTS; i++) {
    const event = { eventType: 'o', action: `step ${i}`, resource: 'r', status: 's' };
    id = (await log.append(event)).log;
    if (i === COVERED) last = (await log.checkpoint()).note;
  }
  const lines: string[] = [];
  for await (const batch of log.source.read({})) lines.push(...batch);
  const checkpoints = (await log.source.checkpoints()).filter(({ size }) => size <= COVERED);
  await log.close();
  return { id, last, lines, checkpoints };
}

/** What an adversary without the key leaves in the store while the writer is stopped. */
const TAMPERINGS: Readonly<Record<string, (log: Log, other: Other) => Stored | Promise<Stored>>> = {
  'rewrites all events and removes the checkpoints': ({ lines }) => ({
    lines: rewritten(lines, 0),
    checkpoints: [],
  }),
  'rewrites events that a checkpoint covers, and leaves it there': ({ lines, checkpoints }) => ({
    lines: rewritten(lines, 10),
    checkpoints,
  }),
  'rewrites events after the last checkpoint': ({ lines, checkpoints }) => ({
    lines: rewritten(lines, COVERED),
    checkpoints,
  }),
  'cuts off events that a checkpoint covers, and leaves it there': ({ lines, checkpoints }) => ({
    lines: lines.slice(0, 10),
    checkpoints,
  }),
  'cuts off events and the checkpoints that cover them': ({ lines }) => ({
    lines: lines.slice(0, 10),
    checkpoints: [],
  }),
  'removes all events and checkpoints': () => ({ lines: [], checkpoints: [] }),
  'puts a log of the same key and another origin in its place': (_, other) =>
    other('example.com/other'),
  'puts a log of the same key and origin in its place': (_, other) => other(),
};

type Other = (origin?: string) => Promise<Stored>;

/** What the writer is told. */
const TOLD: Readonly<
  Record<string, (log: Log) => Pick<AuditLogOptions, 'id'> & { last?: string }>
> = {
  'neither `id` nor `last`': () => ({}),
  '`id`': ({ id }) => ({ id }),
  '`last`': ({ last }) => ({ last }),
};

const rows = tableRows('while the writer is stopped');

describe.each([
  ['files', inFiles],
  ['SQLite', inSqlite],
])('a writer that is started again on its %s', (_, make) => {
  it.each(Object.entries(TAMPERINGS))(
    'answers as the README says when somebody %s',
    async (name, tamper) => {
      const answers: string[] = [];
      for (const told of Object.values(TOLD)) {
        using directory = temporaryDirectory();
        const store = make(directory.path);
        const log = await written(store);
        const other: Other = async (origin) => {
          mkdirSync(join(directory.path, 'other'));
          const elsewhere = make(join(directory.path, 'other'));
          return written(elsewhere, {}, origin);
        };
        store.replace(await tamper(log, other));
        answers.push(await restarted(store, told(log)));
      }
      expect(rows.find(([first]) => first === name)?.slice(1)).toEqual(answers);
    },
  );
});

it('is a table with every tampering', () => {
  expect(rows[0]?.slice(1)).toEqual(Object.keys(TOLD));
  expect(rows.slice(2).map(([name]) => name)).toEqual(Object.keys(TAMPERINGS));
});

/** What a restart signs, and what a verification with the key says of it. */
async function restarted(store: Store, told: { id?: string; last?: string }): Promise<string> {
  const { id, last } = told;
  const log = auditLog({
    ...(id && { id }),
    sinks: [store.sink()],
    checkpoints: { signer, everyMs: Number.POSITIVE_INFINITY, ...(last && { last }) },
  });
  try {
    await log.append({ eventType: 'o', action: 'next', resource: 'r', status: 's' });
    await log.checkpoint();
  } catch {
    return 'refuses';
  } finally {
    await log.close().catch(() => undefined);
  }
  const source = store.source();
  const { verdict } = await verifyLog(source, { keys: [key.verifierKey] });
  await source.close?.();
  return verdict === 'valid' ? '**signs**' : 'signs; invalid';
}
