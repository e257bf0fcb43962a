import { type Clock, OperationTimeoutError } from '@temper/core';
import { notify, reportCallbackError, type Scheduled, safeText } from '@temper/core/policy';
import { openCheckpoint, type SignedCheckpoint, signCheckpoint } from '../chain/checkpoint.ts';
import { type ChainHead, parseLine } from '../chain/hash-chain.ts';
import { decodeFrontier, encodeFrontier, leafOf, type MerkleFrontier } from '../chain/merkle.ts';
import { type NoteSigner, type NoteVerifier, noteVerifier } from '../chain/signing-key.ts';
import { AuditCorruptError } from '../errors.ts';
import type { AuditSource, StoredCheckpoint } from '../sinks/sink.ts';
import type { ResolvedCheckpointOptions } from './options.ts';
import { withinTime } from './time-limit.ts';
import type { WriterQueue } from './writer-queue.ts';

/** Maximum number of hashes kept while signing fails, in multiples of `everyEvents`. */
const MAX_INTERVALS = 10;

/**
 * Signs checkpoints over durable events, by number of events and by age. Only durable events are
 * signed, because a crash must not leave a checkpoint over events that the log does not have.
 */
export class Checkpointer {
  readonly #options: ResolvedCheckpointOptions;
  readonly #clock: Clock;
  readonly #log: string;
  readonly #queues: () => readonly WriterQueue[];
  readonly #source: () => AuditSource;
  readonly #signers: readonly NoteSigner[];
  readonly #verifiers: readonly NoteVerifier[];
  #frontier: MerkleFrontier | undefined;
  /** Hashes of durable events that are not in the frontier; the first has sequence {@link #tailStart}. */
  #tail: string[] = [];
  #tailStart = 0;
  #last: SignedCheckpoint | undefined;
  #signing: Promise<unknown> = Promise.resolve();
  #waiting = false;
  #closed = false;
  /** Whether an event has become durable that no checkpoint covers, also when signing it has failed. */
  #unsigned = false;
  #timer: Scheduled | undefined;

  constructor(
    log: string,
    options: ResolvedCheckpointOptions,
    clock: Clock,
    queues: () => readonly WriterQueue[],
    source: () => AuditSource,
  ) {
    this.#log = log;
    this.#options = options;
    this.#clock = clock;
    this.#queues = queues;
    this.#source = source;
    this.#signers = options.signers.map((signer) => this.#limited(signer));
    this.#verifiers = options.signers.map(({ verifierKey }) => noteVerifier(verifierKey));
  }

  /** A signer that is not waited for beyond `signTimeoutMs`: its key may be in a remote service. */
  #limited(signer: NoteSigner): NoteSigner {
    const { name, keyId, verifierKey } = signer;
    const { signTimeoutMs } = this.#options;
    const timeoutError = (): Error =>
      new OperationTimeoutError(this.#log, signTimeoutMs, `Signer '${safeText(name)}'`);
    const sign = (data: Uint8Array): Promise<Uint8Array> =>
      withinTime(this.#clock, signTimeoutMs, () => signer.sign(data), timeoutError);
    return { name, keyId, verifierKey, sign };
  }

  /** Number of events the last checkpoint covers. */
  get size(): number {
    return this.#last?.body.size ?? 0;
  }

  /** Adds an event that has become durable. */
  stored({ sequence, hash }: ChainHead): void {
    const { everyEvents } = this.#options;
    if (this.#tail.length >= everyEvents * MAX_INTERVALS) this.#tail = [];
    if (this.#tail.length === 0) this.#tailStart = sequence;
    this.#tail.push(hash);
    this.#unsigned = true;
    if (this.#tail.length >= everyEvents) this.#due();
    else this.#arm();
  }

  /** The timer runs only while there are events without a checkpoint. */
  #arm(): void {
    const { everyMs } = this.#options;
    if (this.#closed || this.#timer !== undefined || everyMs === Number.POSITIVE_INFINITY) return;
    this.#timer = this.#clock.schedule(() => {
      this.#timer = undefined;
      this.#due();
    }, everyMs);
    this.#timer.unref();
  }

  #due(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.sign(this.#tailStart + this.#tail.length - 1).then(
      () => {
        this.#waiting = false;
        // Further events may have arrived while this checkpoint was being signed.
        if (this.#tail.length >= this.#options.everyEvents) this.#due();
        else if (this.#tail.length > 0) this.#arm();
      },
      (error: unknown) => {
        this.#waiting = false;
        reportCallbackError(this.#log, 'checkpoints', error);
        this.#arm();
      },
    );
  }

  /** Signs a checkpoint over the first `size` events, which must be durable. */
  sign(size: number): Promise<SignedCheckpoint> {
    const signed = this.#signing.then(() => this.#sign(size));
    this.#signing = signed.catch(() => undefined);
    return signed;
  }

  async #sign(size: number): Promise<SignedCheckpoint> {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#frontier ??= await this.#restore(size);
    await this.#grow(this.#frontier, size);
    if (this.#last !== undefined && this.#last.body.size >= size) return this.#last;
    const body = { origin: this.#options.origin, size, root: this.#frontier.root() };
    const frontier = encodeFrontier(this.#frontier);
    const note = await signCheckpoint(body, this.#signers);
    this.#last = { note, body };
    this.#unsigned = this.#tail.length > 0;
    await Promise.all(
      this.#queues().map((queue) =>
        queue
          .saveCheckpoint({ note, size, frontier })
          .catch((error) => reportCallbackError(queue.sink.name, 'saveCheckpoint', error)),
      ),
    );
    notify(this.#log, 'checkpoints.publish', this.#options.publish, note, body);
    return this.#last;
  }

  /** Adds events to the frontier, from memory or, if they are no longer in memory, from the source. */
  async #grow(frontier: MerkleFrontier, size: number): Promise<void> {
    const remembered = this.#tail.length > 0 ? this.#tailStart - 1 : size;
    if (frontier.size < Math.min(remembered, size)) {
      const range = { from: frontier.size + 1, to: Math.min(remembered, size) };
      for await (const lines of this.#source().read(range)) {
        for (const line of lines) frontier.append(leafOf(parseLine(line).hash));
      }
    }
    const known = Math.max(0, frontier.size - (this.#tailStart - 1));
    const wanted = size - (this.#tailStart - 1);
    for (const hash of this.#tail.slice(known, Math.max(known, wanted)))
      frontier.append(leafOf(hash));
    if (frontier.size < size) {
      throw new AuditCorruptError(
        this.#log,
        this.#log,
        frontier.size + 1,
        'the event cannot be read back',
      );
    }
    if (wanted > 0) {
      this.#tail = this.#tail.slice(wanted);
      this.#tailStart = size + 1;
    }
  }

  /** The frontier at the last checkpoint of an earlier run, if one of our keys signed it. */
  async #restore(size: number): Promise<MerkleFrontier> {
    const source = this.#source();
    const anchor = await source.anchor();
    // Throws if the anchor has no frontier.
    const begin = decodeFrontier(anchor?.sequence ?? 0, anchor?.frontier ?? []);
    const ours = (await source.checkpoints()).filter((stored) => this.#isOurs(stored));
    const last = ours.at(-1);
    if (last === undefined || last.size < begin.size) return begin;
    if (last.size > size) {
      const what = `a signed checkpoint covers ${last.size} events, but there are only ${size}`;
      throw new AuditCorruptError(this.#log, source.name, size + 1, what);
    }
    const body = openCheckpoint(last.note, this.#verifiers);
    this.#last = { note: last.note, body };
    return decodeFrontier(last.size, last.frontier);
  }

  #isOurs({ note, size, frontier }: StoredCheckpoint): boolean {
    try {
      const body = openCheckpoint(note, this.#verifiers);
      return (
        body.origin === this.#options.origin &&
        body.size === size &&
        decodeFrontier(size, frontier).root().equals(body.root)
      );
    } catch {
      return false;
    }
  }

  /** Signs a checkpoint over the remaining events and stops the timer. */
  async close(size: number): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    if (this.#unsigned) await this.sign(size);
    await this.#signing;
  }
}
