import { describe, expect, it } from 'vitest';
import { parseCheckpoint } from '../chain/checkpoint.ts';
import { generateSigningKey, noteSigner } from '../chain/signing-key.ts';
import { auditLog } from '../log/durable-log.ts';
import { memorySink } from '../sinks/memory/memory-sink.ts';
import { checkConsistency, checkInclusion, proveConsistency, proveInclusion } from './proofs.ts';

const { secretKey } = generateSigningKey('log');

async function logOf(count: number, capacity = 10_000) {
  const sink = memorySink({ capacity });
  const log = auditLog({ sinks: [sink], checkpoints: { signer: noteSigner(secretKey) } });
  const notes = new Map<number, string>();
  for (let i = 1; i <= count; i++) {
    await log.append({ eventType: 'a', action: `n${i}`, resource: 'r', status: 's' });
    notes.set(i, (await log.checkpoint()).note);
  }
  const events = await log.getEvents(count);
  return { log, notes, events };
}

describe('proofs', () => {
  it('proves each event under a signed root, and no other event', async () => {
    const { log, notes, events } = await logOf(13);
    for (const size of [1, 5, 8, 13]) {
      const root = parseCheckpoint(notes.get(size) as string).root.toString('base64');
      for (let sequence = 1; sequence <= size; sequence++) {
        const proof = await proveInclusion(log.source, sequence, size);
        expect(proof).toMatchObject({ sequence, size, root, hash: events[sequence - 1]?.hash });
        expect(checkInclusion(proof)).toBe(true);
        expect(checkInclusion({ ...proof, hash: '0'.repeat(64) })).toBe(false);
        expect(checkInclusion({ ...proof, sequence: size + 1 })).toBe(false);
        expect(checkInclusion({ ...proof, root: Buffer.alloc(32).toString('base64') })).toBe(false);
      }
    }
  });

  it('proves each size of the log to be a prefix of each later one', async () => {
    const { log, notes } = await logOf(11);
    const rootOf = (size: number): string =>
      parseCheckpoint(notes.get(size) as string).root.toString('base64');
    for (const [from, to] of [
      [1, 11],
      [3, 7],
      [8, 11],
      [11, 11],
      [4, 8],
    ] as const) {
      const proof = await proveConsistency(log.source, from, to);
      expect(proof).toMatchObject({ from, to, fromRoot: rootOf(from), toRoot: rootOf(to) });
      expect(checkConsistency(proof)).toBe(true);
      expect(checkConsistency({ ...proof, fromRoot: Buffer.alloc(32).toString('base64') })).toBe(
        false,
      );
    }
  });

  it('makes proofs after retention, or throws when removed events are needed', async () => {
    const { log } = await logOf(30, 10);
    const oldest = (await log.getEvents(30))[0]?.sequence as number;
    expect(oldest).toBeGreaterThan(10);
    expect(checkInclusion(await proveInclusion(log.source, oldest, 30))).toBe(true);
    expect(checkConsistency(await proveConsistency(log.source, 24, 30))).toBe(true);
    await expect(proveInclusion(log.source, 2, 30)).rejects.toThrow('retention has removed');
  });

  it('rejects an event or size that the log does not have', async () => {
    const { log } = await logOf(3);
    await expect(proveInclusion(log.source, 4, 3)).rejects.toThrow(RangeError);
    await expect(proveInclusion(log.source, 1, 9)).rejects.toThrow(RangeError);
    await expect(proveConsistency(log.source, 5, 3)).rejects.toThrow(RangeError);
    await expect(proveConsistency(log.source, 3, 9)).rejects.toThrow(RangeError);
  });
});
