import { describe, expect, it } from 'vitest';
import { genesis, parseLine } from '../src/chain/hash-chain.ts';
import { encodeFrontier, leafOf, MerkleFrontier } from '../src/chain/merkle.ts';
import { generateSigningKey, noteSigner } from '../src/chain/signing-key.ts';
import { auditLog } from '../src/log/durable-log.ts';
import { Intake } from '../src/log/intake/intake.ts';
import { Redactor } from '../src/log/intake/redaction.ts';
import { type CheckpointOptions, DEFAULT_LIMITS } from '../src/log/options.ts';
import type { StoredCheckpoint } from '../src/sinks/sink.ts';
import { ScriptedSink } from './scripted-sink.ts';

const key = generateSigningKey('example.com/audit');
const signer = noteSigner(key.secretKey);
const event = { eventType: 'o', action: 'a', resource: 'r', status: 's' };

/** A sink whose lines and checkpoints an adversary can change. */
class OpenSink extends ScriptedSink {
  checkpoints: StoredCheckpoint[] = [];
  /** Number of events that retention has removed since. */
  removed = 0;

  #anchor() {
    if (this.removed === 0) return undefined;
    const frontier = new MerkleFrontier();
    for (const line of this.lines.slice(0, this.removed + 1))
      frontier.append(leafOf(parseLine(line).hash));
    const { sequence, hash, log } = parseLine(this.lines[this.removed] as string);
    return { sequence, hash, log, frontier: encodeFrontier(frontier) };
  }

  override get source() {
    const inner = super.source;
    return {
      name: inner.name,
      read: inner.read.bind(inner),
      anchor: async () => this.#anchor(),
      checkpoints: async () => this.checkpoints,
    };
  }

  async saveCheckpoint(checkpoint: StoredCheckpoint): Promise<void> {
    this.checkpoints.push(checkpoint);
  }
}

const OTHER = 'example.com/other';

interface Written {
  readonly sink: OpenSink;
  /** What was published, in order. */
  readonly published: string[];
  /** Appends to the log after a restart and signs. */
  restart(options?: Partial<CheckpointOptions>): Promise<number>;
}

async function written(): Promise<Written> {
  const sink = new OpenSink('a');
  const published: string[] = [];
  const restart = async (options: Partial<CheckpointOptions> = {}): Promise<number> => {
    const log = auditLog({
      sinks: [sink],
      checkpoints: {
        signer,
        publish: (note) => published.push(note),
        last: () => published.at(-1),
        ...options,
      },
    });
    for (let i = 0; i < 5; i++) await log.append(event);
    const { body } = await log.checkpoint().finally(() => log.close().catch(() => undefined));
    return body.size;
  };
  await restart();
  await restart();
  return { sink, published, restart };
}

/** The last note of an origin, as a witness answers. */
function byOrigin(notes: readonly string[], origin: string): string | undefined {
  return notes.findLast((note) => note.startsWith(`${origin}\n`));
}

/** A chain of other events with the same identifier. */
function rewritten(lines: readonly string[]): string[] {
  const intake = new Intake({
    now: () => 0,
    activeSpan: () => undefined,
    redactor: new Redactor(),
    limits: DEFAULT_LIMITS,
  });
  let head = genesis(parseLine(lines[0] as string).log);
  return lines.map(() => {
    const { event: sealed, line } = intake.prepare(event).seal(head);
    head = sealed;
    return line;
  });
}

describe('the last published checkpoint', () => {
  it('is continued by a log that is consistent with it', async () => {
    const { restart, published } = await written();
    expect(await restart()).toBe(15);
    expect(published).toHaveLength(3);
  });

  it('is continued when a later one was stored and not published', async () => {
    const { restart, published } = await written();
    published.pop();
    expect(await restart()).toBe(15);
  });

  it('keeps a rewritten log whose own checkpoints were removed from being signed', async () => {
    const { sink, restart } = await written();
    sink.lines.splice(0, Number.POSITIVE_INFINITY, ...rewritten(sink.lines));
    sink.checkpoints = [];
    await expect(restart()).rejects.toThrow('does not match the published checkpoint over 10');
    // Without it the log is signed anew.
    expect(await restart({ last: () => undefined })).toBe(20);
  });

  it.each<[string, (published: string[]) => NonNullable<CheckpointOptions['last']>]>([
    ['a text', (published) => published.at(-1) as string],
    ['a function', (published) => async () => published.at(-1)],
    ['a witness', (published) => ({ last: async (origin) => byOrigin(published, origin) })],
  ])('can be %s', async (_, make) => {
    const { sink, published, restart } = await written();
    expect(await restart({ last: make(published) })).toBe(15);
    sink.lines.splice(0, Number.POSITIVE_INFINITY, ...rewritten(sink.lines));
    sink.checkpoints = [];
    await expect(restart({ last: make(published) })).rejects.toThrow('does not match');
  });

  it('must be a note, a function or a witness', () => {
    for (const last of ['nothing', {}, 5] as unknown as string[]) {
      expect(() => auditLog({ checkpoints: { signer, last } })).toThrow(TypeError);
    }
  });

  it('says in the statistics why nothing is signed, until something is', async () => {
    const { sink } = await written();
    let last = '';
    const log = auditLog({
      sinks: [sink],
      checkpoints: {
        signer,
        last: () => (last === '' ? Promise.reject(new Error('no bucket')) : last),
      },
    });
    await log.append(event);
    expect(log.stats().checkpointError).toBeUndefined();
    await log.checkpoint().catch(() => undefined);
    expect(log.stats().checkpointError).toContain('no bucket');
    last = sink.checkpoints.at(-1)?.note as string;
    await log.checkpoint();
    expect(log.stats().checkpointError).toBeUndefined();
    await log.close();
  });

  it.each<[string, (log: Written) => Partial<CheckpointOptions>, string]>([
    [
      'covers more events than there are',
      ({ sink }) => {
        sink.lines.length = 3;
        sink.checkpoints = [];
        return {};
      },
      'but there are only 8',
    ],
    ['is of another log', () => ({ origin: OTHER }), 'is of another log'],
    [
      'covers events before those that retention has left',
      ({ sink }) => {
        sink.removed = 10;
        return {};
      },
      'cannot be compared, because retention has removed later ones',
    ],
    ['is signed by no key of the log', () => ({ last: () => 'a\n1\nb\n\n— x eA==\n' }), ''],
    [
      'cannot be read',
      () => ({ last: () => Promise.reject(new Error('bucket unavailable')) }),
      'bucket unavailable',
    ],
  ])('keeps the log from being signed when it %s', async (_, tamper, message) => {
    const log = await written();
    await expect(log.restart(tamper(log))).rejects.toThrow(message);
  });
});
