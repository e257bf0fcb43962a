import { describe, expect, it } from 'vitest';
import { generateSigningKey, noteSigner } from '../src/chain/signing-key.ts';
import { auditLog } from '../src/log/durable-log.ts';
import { verifyLog } from '../src/read/verify.ts';
import type { VerifyOptions } from '../src/read/verify-report.ts';
import type { StoredCheckpoint } from '../src/sinks/sink.ts';
import {
  inFiles,
  inSqlite,
  rewritten,
  type Store,
  type Stored,
  signed,
  tableRows,
} from './open-store.ts';
import { temporaryDirectory } from './temporary-directory.ts';

/** Events of the log, events that the last checkpoint covers, and events that a witness has seen. */
const [EVENTS, COVERED, WITNESSED] = [20, 18, 12];
const key = generateSigningKey('example.com/audit');
/** What is left of the lines after a tampering. */
const TAMPERINGS: Readonly<Record<string, (lines: readonly string[]) => string[]>> = {
  'edits an event': (lines) => lines.with(4, (lines[4] as string).replace('step 5', 'step 6')),
  'removes an event in the middle': (lines) => lines.toSpliced(4, 1),
  'rewrites from an event on that a witness has seen': (lines) => rewritten(lines, 8),
  'rewrites from a later event on that a checkpoint covers': (lines) => rewritten(lines, 14),
  'rewrites events after the last checkpoint': (lines) => rewritten(lines, COVERED),
  'cuts off events that a witness has seen': (lines) => lines.slice(0, 8),
  'cuts off later events that a checkpoint covers': (lines) => lines.slice(0, 14),
  'cuts off events after the last checkpoint': (lines) => lines.slice(0, COVERED),
  'removes all events': () => [],
};

/** What the adversary does with the stored checkpoints, and what the auditor holds the log to. */
const ADVERSARIES: Readonly<
  Record<
    string,
    {
      readonly checkpoints: (
        lines: readonly string[],
        stored: readonly StoredCheckpoint[],
      ) => Promise<StoredCheckpoint[]>;
      readonly held: (kept: Kept) => VerifyOptions;
    }
  >
> = {
  'the disk; verified with the key': {
    // Without the key no checkpoint can be made, but those that do not fit can be removed.
    checkpoints: async (lines, stored) => fitting(lines, stored),
    held: () => ({ keys: [key.verifierKey] }),
  },
  'the disk; verified with the last checkpoint': {
    checkpoints: async (lines, stored) => fitting(lines, stored),
    held: ({ last }) => ({ keys: [key.verifierKey], checkpoints: [last] }),
  },
  'disk and key; verified with the key': {
    checkpoints: async (lines) => (lines.length === 0 ? [] : [await signed(lines, key.secretKey)]),
    held: () => ({ keys: [key.verifierKey] }),
  },
  'disk and key; verified with the last checkpoint': {
    checkpoints: async (lines) => (lines.length === 0 ? [] : [await signed(lines, key.secretKey)]),
    held: ({ last }) => ({ keys: [key.verifierKey], checkpoints: [last] }),
  },
  'disk, key and all checkpoints but a witness': {
    checkpoints: async (lines) => (lines.length === 0 ? [] : [await signed(lines, key.secretKey)]),
    held: ({ witnessed }) => ({ keys: [key.verifierKey], checkpoints: [witnessed] }),
  },
};

interface Kept {
  readonly last: string;
  /** An older checkpoint, the last that a witness has. */
  readonly witnessed: string;
}

/** The stored checkpoints that still match the events. */
async function fitting(
  lines: readonly string[],
  stored: readonly StoredCheckpoint[],
): Promise<StoredCheckpoint[]> {
  const kept: StoredCheckpoint[] = [];
  for (const checkpoint of stored) {
    if (checkpoint.size > lines.length) continue;
    const own = await signed(lines.slice(0, checkpoint.size), key.secretKey).catch(() => undefined);
    if (own?.note === checkpoint.note) kept.push(checkpoint);
  }
  return kept;
}

/** Rows of the README: a tampering and the answer for every adversary. */
const rows = tableRows('the adversary');

describe.each([
  ['files', inFiles],
  ['SQLite', inSqlite],
])('a log in %s', (_, make) => {
  it.each(Object.entries(TAMPERINGS))(
    'is verified as the README says when somebody %s',
    async (name, tamper) => {
      const answers: string[] = [];
      for (const { checkpoints, held } of Object.values(ADVERSARIES)) {
        using directory = temporaryDirectory();
        const store = make(directory.path);
        const { stored, kept } = await written(store);
        const lines = tamper(stored.lines);
        store.replace({ lines, checkpoints: await checkpoints(lines, stored.checkpoints) });
        const source = store.source();
        const { verdict } = await verifyLog(source, held(kept));
        await source.close?.();
        answers.push(verdict === 'valid' ? '**valid**' : verdict);
      }
      expect(rows.find(([first]) => first === name)?.slice(1)).toEqual(answers);
    },
  );
});

it('is a table with every adversary and tampering', () => {
  expect(rows[0]?.slice(1)).toEqual(Object.keys(ADVERSARIES));
  expect(rows.slice(2).map(([name]) => name)).toEqual(Object.keys(TAMPERINGS));
});

async function written(store: Store): Promise<{ stored: Stored; kept: Kept }> {
  const log = auditLog({
    sinks: [store.sink()],
    checkpoints: { signer: noteSigner(key.secretKey), everyMs: Number.POSITIVE_INFINITY },
  });
  const notes = new Map<number, string>();
  for (let i = 1; i <= EVENTS; i++) {
    await log.append({ eventType: 'o', action: `step ${i}`, resource: 'r', status: 's' });
    if (i === WITNESSED || i === COVERED) notes.set(i, (await log.checkpoint()).note);
  }
  const lines: string[] = [];
  for await (const batch of log.source.read({})) lines.push(...batch);
  // Closing signs the rest, which this adversary comes before.
  const checkpoints = (await log.source.checkpoints()).filter(({ size }) => notes.has(size));
  await log.close();
  const [last, witnessed] = [notes.get(COVERED), notes.get(WITNESSED)] as [string, string];
  return { stored: { lines, checkpoints }, kept: { last, witnessed } };
}
