import { messageOf, notify, safeText } from '@temper/core/policy';
import { type CheckpointBody, openCheckpoint } from '../chain/checkpoint.ts';
import type { NoteVerifier } from '../chain/signing-key.ts';
import { noteVerifier } from '../chain/signing-key.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import { consistencyNodes } from './consistency.ts';
import { type Cosignature, cosignaturesOf, cosignatureVerifier } from './cosignature.ts';
import type { CheckpointWitness } from './http-witness.ts';
import {
  type PublisherOptions,
  type ResolvedPublisher,
  resolvePublisher,
} from './publisher-options.ts';
import { WitnessError } from './witness-error.ts';

/** Checkpoints as witnesses and stores have them. */
export interface HeldCheckpoints {
  /** Every one that the log's key has signed, for the option `checkpoints` of a verification. */
  readonly checkpoints: readonly string[];
  /** Size of the largest one that enough witnesses have cosigned; undefined if there is none. */
  readonly witnessed: number | undefined;
  /** Its cosignatures. */
  readonly cosignatures: readonly Cosignature[];
}

/** Publishes the checkpoints of one log. */
export interface CheckpointPublisher {
  /**
   * For the option `publish` of the log's checkpoints. Has the checkpoint cosigned and stored; resolves
   * with the cosigned note. While one is being published, only the latest of those that follow is kept.
   *
   * @throws {WitnessError} if fewer witnesses than the quorum cosign it, or a store does not store it
   */
  readonly publish: (note: string) => Promise<string>;
  /**
   * For the option `last` of the log's checkpoints: the largest checkpoint that any place has.
   *
   * @throws {WitnessError} if a store, or more witnesses than the quorum spares, cannot be asked, or two
   *   places contradict each other
   */
  readonly last: () => Promise<string | undefined>;
  /** Waits until nothing is being published. Call it after the log's `close`, before the process exits. */
  readonly flush: () => Promise<void>;
  /** What an auditor holds the log to. @throws like {@link last} */
  readonly held: () => Promise<HeldCheckpoints>;
}

/**
 * Creates a publisher of checkpoints to witnesses and stores.
 *
 * @throws {TypeError | RangeError} if an option is invalid, see {@link PublisherOptions}
 */
export function checkpointPublisher(options: PublisherOptions): CheckpointPublisher {
  const publisher = new Publisher(resolvePublisher(options));
  return {
    publish: (note) => publisher.publish(note),
    last: async () => (await publisher.candidates()).at(0)?.note,
    flush: () => publisher.flush(),
    held: () => publisher.held(),
  };
}

/** A checkpoint that a place has and the log's key has signed. */
interface Candidate {
  readonly note: string;
  readonly body: CheckpointBody;
}

class Publisher {
  readonly #options: ResolvedPublisher;
  readonly #verifiers: readonly NoteVerifier[];
  readonly #cosigners: readonly NoteVerifier[];
  #current: Promise<unknown> | undefined;
  /** The latest checkpoint that waits, and what those who wait for it share. */
  #next: { note: string; readonly published: Promise<string> } | undefined;

  constructor(options: ResolvedPublisher) {
    this.#options = options;
    this.#verifiers = options.keys.map(noteVerifier);
    this.#cosigners = options.witnesses.map(({ verifierKey }) => cosignatureVerifier(verifierKey));
  }

  publish(note: string): Promise<string> {
    if (this.#next !== undefined) {
      this.#next.note = note;
      return this.#next.published;
    }
    const previous = this.#current ?? Promise.resolve();
    const published = previous.then(() => {
      const { note: latest } = this.#next as { note: string };
      this.#next = undefined;
      return this.#publish(latest);
    });
    this.#next = { note, published };
    this.#current = published.catch(() => undefined);
    return published;
  }

  async flush(): Promise<void> {
    for (let seen: unknown; this.#current !== seen; ) {
      seen = this.#current;
      await seen;
    }
  }

  async #publish(note: string): Promise<string> {
    const body = openCheckpoint(note, this.#verifiers);
    const cosigned = `${note}${await this.#cosign(note, body)}`;
    const stored = await Promise.allSettled(
      this.#options.stores.map(async (store) => store.put(cosigned, body)),
    );
    this.#throwFirst(stored, this.#options.stores, this.#options.stores.length);
    return cosigned;
  }

  async #cosign(note: string, body: CheckpointBody): Promise<string> {
    const { witnesses, source, quorum } = this.#options;
    const proofs = new Map<number, ReturnType<typeof consistencyNodes>>();
    const prove = (from: number): ReturnType<typeof consistencyNodes> => {
      let proof = proofs.get(from);
      if (proof === undefined) {
        if (source === undefined) throw new TypeError('Witnesses need the option source.');
        proof = consistencyNodes(source(), from, body.size, this.#verifiers);
        proofs.set(from, proof);
      }
      return proof;
    };
    const answers = await Promise.allSettled(
      witnesses.map(async (witness) => witness.cosign(note, prove)),
    );
    this.#throwFirst(answers, witnesses, quorum);
    return answers
      .flatMap((answer) => (answer.status === 'fulfilled' ? [`${answer.value.line}\n`] : []))
      .join('');
  }

  /** Reports every failure, and throws the gravest one if fewer than `needed` have succeeded. */
  #throwFirst(
    results: readonly PromiseSettledResult<unknown>[],
    places: readonly { readonly name: string }[],
    needed: number,
  ): void {
    const failures = results.flatMap((result, i) => {
      if (result.status === 'fulfilled') return [];
      const failure = asWitnessError((places[i] as { name: string }).name, result.reason);
      notify('checkpointPublisher', 'onError', this.#options.onError, failure);
      return [failure];
    });
    if (results.length - failures.length >= needed) return;
    throw failures.find(({ reason }) => reason !== 'unavailable') ?? failures[0];
  }

  /** The largest checkpoint of each place, largest first, without those of too few events. */
  async candidates(): Promise<readonly Candidate[]> {
    const { stores, witnesses, quorum, origin } = this.#options;
    const [fromStores, fromWitnesses] = await Promise.all([
      Promise.allSettled(stores.map((store) => this.#fromStore(store))),
      Promise.allSettled(witnesses.map((witness) => this.#fromWitness(witness, origin))),
    ]);
    this.#throwFirst(fromStores, stores, stores.length);
    this.#throwFirst(fromWitnesses, witnesses, quorum);
    const found = [...fromStores, ...fromWitnesses]
      .flatMap((result) => (result.status === 'fulfilled' ? result.value : []))
      .sort((a, b) => b.body.size - a.body.size);
    for (const [i, { body }] of found.entries()) {
      const other = found[i + 1]?.body;
      if (other?.size === body.size && !other.root.equals(body.root)) {
        const what = `there are two signed checkpoints over ${body.size} events that contradict each other`;
        throw new WitnessError(origin, 'fork', what);
      }
    }
    return found;
  }

  async #fromWitness(witness: CheckpointWitness, origin: string): Promise<readonly Candidate[]> {
    const note = await witness.last(origin);
    if (note === undefined) return [];
    const opened = this.#open(note);
    if (opened !== undefined) return [opened];
    const what = "its last checkpoint is not signed by the log's key, or is of another log";
    throw new WitnessError(witness.name, 'hostile', what);
  }

  /** The largest checkpoints of a store: several only if they contradict each other. */
  async #fromStore(store: CheckpointStore): Promise<readonly Candidate[]> {
    const found: Candidate[] = [];
    for await (const note of store.latest()) {
      const opened = this.#open(note);
      if (opened === undefined) continue; // whoever can write there may have left it
      if (found[0] !== undefined && opened.body.size !== found[0].body.size) break;
      found.push(opened);
    }
    return found;
  }

  #open(note: string): Candidate | undefined {
    try {
      const body = openCheckpoint(note, this.#verifiers);
      return body.origin === this.#options.origin ? { note, body } : undefined;
    } catch {
      return undefined;
    }
  }

  async held(): Promise<HeldCheckpoints> {
    const { quorum } = this.#options;
    const found = await this.candidates();
    for (const { body } of found) {
      const same = found.filter((other) => other.body.size === body.size);
      const all = same.flatMap(({ note }) => cosignaturesOf(note, this.#cosigners));
      const one = new Map(all.map((cosignature) => [cosignature.witness, cosignature]));
      if (quorum === 0 || one.size < quorum) continue;
      return this.#held(found, body.size, [...one.values()]);
    }
    return this.#held(found, undefined, []);
  }

  #held(
    found: readonly Candidate[],
    witnessed: number | undefined,
    cosignatures: readonly Cosignature[],
  ): HeldCheckpoints {
    return { checkpoints: found.map(({ note }) => note), witnessed, cosignatures };
  }
}

function asWitnessError(name: string, error: unknown): WitnessError {
  if (error instanceof WitnessError) return error;
  return new WitnessError(safeText(name), 'unavailable', messageOf(error), error);
}
