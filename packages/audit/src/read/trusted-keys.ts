import type { KeyRotation } from '../chain/key-rotation.ts';
import { openNote, parseNote } from '../chain/signed-note.ts';
import { type NoteVerifier, noteVerifier } from '../chain/signing-key.ts';

interface TrustedKey {
  readonly verifier: NoteVerifier;
  /** Smallest number of events that its checkpoints may cover. */
  readonly from: number;
  /** Largest number; undefined while it is not replaced. */
  until: number | undefined;
  /** The last statement that another key replaces it, which no checkpoint of it covers yet. */
  stated: KeyRotation | undefined;
}

/**
 * `trusted`: signed by a key that is trusted at this size. `replaced`: signed only by keys that were
 * replaced before. `unknown`: signed by neither.
 */
export type Standing = 'trusted' | 'replaced' | 'unknown';

/**
 * The keys that a verification trusts: the given ones, and those that replace them by statements of the
 * log. A statement counts from the first checkpoint on that covers it and that both keys have signed. The
 * replaced key is not trusted beyond that checkpoint, nor alone for one that covers the statement.
 */
export class TrustedKeys {
  readonly #keys: Map<string, TrustedKey> = new Map();
  readonly #given: ReadonlySet<string>;
  readonly #unshown: KeyRotation[] = [];

  /** @throws {TypeError} if a key is malformed */
  constructor(given: readonly string[]) {
    this.#given = new Set(given);
    for (const key of given) this.#add(key, 0);
  }

  #add(key: string, from: number): void {
    const verifier = noteVerifier(key);
    this.#keys.set(key, { verifier, from, until: undefined, stated: undefined });
  }

  /** Takes note of a statement of the log. */
  state(rotation: KeyRotation): void {
    const key = this.#keys.get(rotation.from);
    if (key === undefined) {
      if (this.#given.has(rotation.to)) this.#unshown.push(rotation);
    } else if (key.until === undefined) key.stated = rotation;
  }

  /** Statements that replace a key that was not given by a given one. */
  get unshown(): readonly KeyRotation[] {
    return this.#unshown;
  }

  /** The trusted keys that the log states are replaced, whether or not a checkpoint covers that. */
  get replaced(): readonly string[] {
    return [...this.#keys]
      .filter(([, { until, stated }]) => until !== undefined || stated !== undefined)
      .map(([key]) => key);
  }

  /** Whether a note has a signature of the name of a trusted key: a key has the name of the one it replaces. */
  named(note: string): boolean {
    const names = [...this.#keys.values()].map(({ verifier }) => verifier.name);
    return parseNote(note).signatures.some(({ name }) => names.includes(name));
  }

  /** @throws {TypeError} if a signature of a known key is invalid */
  standing(note: string, size: number): Standing {
    const signers = this.#signers(note).filter(({ from }) => size >= from);
    if (signers.length === 0) return 'unknown';
    const active = signers.some(
      ({ until = Number.POSITIVE_INFINITY, stated }) =>
        size <= until &&
        (stated === undefined || stated.sequence > size || isSignedBy(note, stated.to)),
    );
    return active ? 'trusted' : 'replaced';
  }

  /** Replaces the keys that have signed a checkpoint over their replacement. Whether there were any. */
  cover(note: string, size: number): boolean {
    let replaced = false;
    for (const key of this.#signers(note)) {
      const { stated, from, until } = key;
      if (stated === undefined || until !== undefined || size < from) continue;
      if (stated.sequence > size || !isSignedBy(note, stated.to)) continue;
      key.until = size;
      key.stated = undefined;
      if (!this.#keys.has(stated.to)) this.#add(stated.to, size);
      replaced = true;
    }
    return replaced;
  }

  #signers(note: string): readonly TrustedKey[] {
    const { signatures } = parseNote(note);
    const known = [...this.#keys.values()].filter(({ verifier }) =>
      signatures.some(({ name, keyId }) => verifier.name === name && verifier.keyId === keyId),
    );
    if (known.length > 0) {
      openNote(
        note,
        known.map(({ verifier }) => verifier),
      );
    }
    return known;
  }
}

function isSignedBy(note: string, key: string): boolean {
  try {
    openNote(note, [noteVerifier(key)]);
    return true;
  } catch {
    return false;
  }
}
