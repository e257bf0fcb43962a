import { type Clock, OperationTimeoutError } from '@temper/core';
import {
  messageOf,
  notify,
  reportCallbackError,
  type Scheduled,
  safeText,
  show,
  timerEpoch,
} from '@temper/core/policy';
import { type SignedCheckpoint, signCheckpoint } from '../chain/checkpoint.ts';
import type { AuditEvent } from '../chain/event.ts';
import { type KeyRotation, rotationOf } from '../chain/key-rotation.ts';
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
  #signers: readonly NoteSigner[];
  #verifiers: readonly NoteVerifier[];
  /** The signer that is to replace the one of its name. */
  #next: NoteSigner | undefined;
  /** The last durable statement that one of the signers is replaced, which no checkpoint covers. */
  #stated: KeyRotation | undefined;
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
  stored(event: AuditEvent): void {
    const { sequence, hash } = event;
    this.#observe(event);
    // By sequence, not by position: a frontier that lags behind is extended from the source.
    if (this.#frontier?.size === sequence - 1) this.#frontier.append(leafOf(hash));
    this.#unsigned = true;
    this.#uncovered++;
    if (this.#uncovered >= this.#options.everyEvents) this.#due();
    else this.#arm();
  }

  #observe(event: AuditEvent): void {
    const rotation = rotationOf(event);
    if (rotation === undefined || !this.#isOurs(rotation)) return;
    if (rotation.sequence > (this.#stated?.sequence ?? 0)) this.#stated = rotation;
  }

  #isOurs({ from }: KeyRotation): boolean {
    return this.#signers.some(({ verifierKey }) => verifierKey === from);
  }

  /**
   * Replaces the signer of the same name. Signs a checkpoint over the statement with both keys, after which
   * the former one signs nothing. If it rejects after the statement became durable, the next checkpoint
   * completes it.
   *
   * @param announce - appends the statement and resolves when it is durable
   * @throws {TypeError} if no signer has the name, or several, or one has the key
   */
  rotate(
    next: NoteSigner,
    announce: (present: NoteSigner, next: NoteSigner) => Promise<unknown>,
  ): Promise<SignedCheckpoint> {
    const rotated = this.#signing.then(async () => {
      const named = this.#signers.filter(({ name }) => name === next.name);
      const [present] = named;
      const known = this.#signers.some(({ verifierKey }) => verifierKey === next.verifierKey);
      if (present === undefined || named.length > 1 || known) {
        throw new TypeError(
          `Audit log '${this.#log}': the next signer must have another key than the signers and the name of exactly one of them, got ${show(next.verifierKey)}.`,
        );
      }
      await this.#extend();
      const limited = this.#limited(next);
      if (this.#stated?.to !== next.verifierKey) await announce(present, limited);
      this.#next = limited;
      return this.#sign();
    });
    this.#settle(rotated);
    return rotated;
  }

  /** The signers of a checkpoint. @throws if it would cover a statement whose next key is not here */
  #signersNow(): readonly NoteSigner[] {
    if (this.#stated === undefined) return this.#signers;
    const { to, sequence } = this.#stated;
    if (this.#next?.verifierKey === to) return [...this.#signers, this.#next];
    throw new Error(
      `nothing is signed, because event ${sequence} replaces the key by '${safeText(to)}', which is not complete: call rotateKey with a signer of it, or of another key`,
    );
  }

  /** After a checkpoint over the statement. */
  #replace(stated: KeyRotation, next: NoteSigner): void {
    const { from } = stated;
    this.#signers = this.#signers.map((one) => (one.verifierKey === from ? next : one));
    // The former key's checkpoints are still those of this log.
    this.#verifiers = [...this.#verifiers, noteVerifier(next.verifierKey)];
    this.#next = undefined;
    if (this.#stated === stated) this.#stated = undefined;
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
    this.#settle(signed);
    return signed;
  }

  #settle(signed: Promise<unknown>): void {
    this.#signing = signed.then(
      () => {
        this.#error = undefined;
      },
      (error: unknown) => {
        this.#error = error;
      },
    );
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

  /** The tree over all durable events. */
  async #extend(): Promise<MerkleFrontier> {
    const durable = this.#stored();
    this.#frontier ??= await this.#begin(durable);
    const observe = (event: AuditEvent): void => this.#observe(event);
    await extendFrontier(this.#log, this.#source(), this.#frontier, this.#stored, observe);
    return this.#frontier;
  }

  async #sign(): Promise<SignedCheckpoint> {
    this.#timer?.cancel();
    this.#timer = undefined;
    const tree = await this.#extend();
    // A snapshot: events become durable while it is being signed.
    const { size } = tree;
    if (this.#last !== undefined && this.#last.body.size >= size) return this.#last;
    const body = { origin: this.#options.origin, size, root: tree.root() };
    const frontier = encodeFrontier(tree);
    const [stated, next] = [this.#stated, this.#next];
    const note = await signCheckpoint(body, this.#signersNow());
    this.#last = { note, body };
    if (stated !== undefined && next !== undefined) this.#replace(stated, next);
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
      signers: this.#signers.map(({ verifierKey }) => verifierKey),
      observe: (event) => this.#observe(event),
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
