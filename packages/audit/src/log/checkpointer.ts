import { type Clock, OperationTimeoutError } from '@temper/core';
import {
  messageOf,
  notify,
  reportCallbackError,
  type Scheduled,
  safeText,
  timerEpoch,
} from '@temper/core/policy';
import { type SignedCheckpoint, signCheckpoint } from '../chain/checkpoint.ts';
import type { ChainHead } from '../chain/hash-chain.ts';
import { encodeFrontier, leafOf, type MerkleFrontier } from '../chain/merkle.ts';
import { type NoteSigner, type NoteVerifier, noteVerifier } from '../chain/signing-key.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { beginFrontier, extendFrontier } from './begin-frontier.ts';
import type { ResolvedCheckpointOptions } from './options.ts';
import { withinTime } from './time-limit.ts';
import type { WriterQueue } from './writer-queue.ts';

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
  readonly #stored: () => number;
  /** Undefined until the log has been read up to the last checkpoint. */
  #frontier: MerkleFrontier | undefined;
  /** Durable events that are not in the last checkpoint. */
  #uncovered = 0;
  /** Number of events the last published checkpoint covers. */
  #published = 0;
  #publishing: Promise<void> = Promise.resolve();
  #last: SignedCheckpoint | undefined;
  #error: unknown;
  #signing: Promise<unknown> = Promise.resolve();
  #waiting = false;
  #closed = false;
  /** Whether an event has become durable that no checkpoint covers, also when signing it has failed. */
  #unsigned = false;
  #timer: Scheduled | undefined;
  /** Of the timer functions that armed the timer. */
  #epoch: number | undefined;

  constructor(
    log: string,
    options: ResolvedCheckpointOptions,
    clock: Clock,
    queues: () => readonly WriterQueue[],
    source: () => AuditSource,
    stored: () => number,
  ) {
    this.#log = log;
    this.#options = options;
    this.#clock = clock;
    this.#queues = queues;
    this.#source = source;
    this.#stored = stored;
    this.#signers = options.signers.map((signer) => this.#limited(signer));
    this.#verifiers = options.signers.map(({ verifierKey }) => noteVerifier(verifierKey));
  }

  /** A signer that is not waited for beyond `signTimeoutMs`: its key may be in a remote service. */
  #limited(signer: NoteSigner): NoteSigner {
    const { name, keyId, verifierKey } = signer;
    const sign = (data: Uint8Array): Promise<Uint8Array> =>
      this.#within(() => signer.sign(data), `Signer '${safeText(name)}'`);
    return { name, keyId, verifierKey, sign };
  }

  #within<T>(work: () => T | PromiseLike<T>, what: string): Promise<T> {
    const { signTimeoutMs } = this.#options;
    const late = (): Error => new OperationTimeoutError(this.#log, signTimeoutMs, what);
    return withinTime(this.#clock, signTimeoutMs, work, late);
  }

  /** Number of events the last checkpoint covers. */
  get size(): number {
    return this.#last?.body.size ?? 0;
  }

  /** Adds an event that has become durable. */
  stored({ sequence, hash }: ChainHead): void {
    // By sequence, not by position: a frontier that lags behind is extended from the source.
    if (this.#frontier?.size === sequence - 1) this.#frontier.append(leafOf(hash));
    this.#unsigned = true;
    this.#uncovered++;
    if (this.#uncovered >= this.#options.everyEvents) this.#due();
    else this.#arm();
  }

  /** The timer runs only while there are events without a checkpoint. */
  #arm(): void {
    const { everyMs } = this.#options;
    if (this.#closed || everyMs === Number.POSITIVE_INFINITY) return;
    const epoch = timerEpoch(this.#clock);
    if (this.#timer !== undefined && this.#epoch === epoch) return;
    // A timer of functions that a test has replaced since, or put back, may never fire.
    this.#timer?.cancel();
    this.#epoch = epoch;
    this.#timer = this.#clock.schedule(() => {
      this.#timer = undefined;
      this.#due();
    }, everyMs);
    this.#timer.unref();
  }

  #due(): void {
    if (this.#waiting) return;
    this.#waiting = true;
    this.sign().then(
      () => {
        this.#waiting = false;
        // Further events may have arrived while this checkpoint was being signed.
        if (this.#uncovered >= this.#options.everyEvents) this.#due();
        else if (this.#uncovered > 0) this.#arm();
      },
      (error: unknown) => {
        this.#waiting = false;
        reportCallbackError(this.#log, 'checkpoints', error);
        this.#arm();
      },
    );
  }

  /** Signs a checkpoint over all durable events. */
  sign(): Promise<SignedCheckpoint> {
    const signed = this.#signing.then(() => this.#sign());
    this.#signing = signed.then(
      () => {
        this.#error = undefined;
      },
      (error: unknown) => {
        this.#error = error;
      },
    );
    return signed;
  }

  /** Message of the last failure to sign; undefined if the last attempt succeeded. */
  get error(): string | undefined {
    return this.#error === undefined ? undefined : messageOf(this.#error);
  }

  /**
   * Resolves when a published checkpoint covers the event with this sequence.
   *
   * @throws what the signer failed with, or an error if the checkpoint could not be published
   */
  async cover(sequence: number): Promise<void> {
    const published = async (): Promise<boolean> => {
      await this.#publishing.catch(() => undefined);
      return this.#published >= sequence;
    };
    if (await published()) return;
    const checkpoint = this.size >= sequence ? this.#last : await this.sign();
    if (await published()) return;
    // It was signed earlier, or could not be published.
    if (checkpoint !== undefined) this.#publish(checkpoint);
    if (await published()) return;
    throw new Error(`no checkpoint over ${sequence} events could be published`);
  }

  async #sign(): Promise<SignedCheckpoint> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const durable = this.#stored();
    this.#frontier ??= await this.#begin(durable);
    await extendFrontier(this.#log, this.#source(), this.#frontier, this.#stored);
    // A snapshot: events become durable while it is being signed.
    const { size } = this.#frontier;
    if (this.#last !== undefined && this.#last.body.size >= size) return this.#last;
    const body = { origin: this.#options.origin, size, root: this.#frontier.root() };
    const frontier = encodeFrontier(this.#frontier);
    const note = await signCheckpoint(body, this.#signers);
    this.#last = { note, body };
    this.#uncovered = Math.max(0, this.#stored() - size);
    this.#unsigned = this.#uncovered > 0;
    await Promise.all(
      this.#queues().map((queue) =>
        queue
          .saveCheckpoint({ note, size, frontier })
          .catch((error) => reportCallbackError(queue.sink.name, 'saveCheckpoint', error)),
      ),
    );
    this.#publish(this.#last);
    return this.#last;
  }

  #publish({ note, body }: SignedCheckpoint): void {
    const { publish } = this.#options;
    let published: Promise<unknown> = Promise.resolve();
    const failed = new Error('the checkpoint was not published');
    if (publish !== undefined) {
      published = Promise.reject(failed);
      const call = (...args: Parameters<typeof publish>): unknown => {
        published.catch(() => undefined);
        const result = publish(...args);
        published = Promise.resolve(result);
        return result;
      };
      notify(this.#log, 'checkpoints.publish', call, note, body);
    }
    this.#publishing = published.then(() => {
      this.#published = Math.max(this.#published, body.size);
    });
    this.#publishing.catch(() => undefined); // `notify` has logged it
  }

  /** The frontier to go on from, if the log continues its own last checkpoint and the published one. */
  async #begin(durable: number): Promise<MerkleFrontier> {
    const { origin, last, named } = this.#options;
    const begun = await beginFrontier({
      log: this.#log,
      source: this.#source(),
      durable,
      origin,
      named,
      verifiers: this.#verifiers,
      last: last && (() => this.#within(async () => last(origin), "'checkpoints.last'")),
    });
    // Whether it was published before the end of the earlier run is not known.
    this.#last = begun.stored;
    return begun.frontier;
  }

  /** Signs a checkpoint over the remaining events and stops the timer. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    if (this.#unsigned) await this.sign();
    await this.#signing;
  }
}
