import type { Clock } from '@temper/core';
import type {
  ListVersionsInput,
  ListVersionsOutput,
  ObjectLockClient,
  PutObjectInput,
} from '../src/witness/object-lock-store.ts';

interface Version extends PutObjectInput {
  readonly id: string;
}

/** A bucket with versions and Object Lock, by the rules that S3 documents. */
export class VersionedBucket implements ObjectLockClient {
  readonly #clock: Clock;
  /** The versions of each key, oldest first. */
  readonly #versions = new Map<string, Version[]>();
  readonly #deleted = new Set<string>();
  #next = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async put(input: PutObjectInput): Promise<void> {
    const { Key } = input;
    this.#deleted.delete(Key);
    this.#versions.set(Key, [
      ...(this.#versions.get(Key) ?? []),
      { ...input, id: String(this.#next++) },
    ]);
  }

  async list({
    Prefix,
    MaxKeys,
    KeyMarker = '',
    VersionIdMarker,
  }: ListVersionsInput): Promise<ListVersionsOutput> {
    const all = [...this.#versions.keys()].sort().flatMap((key) =>
      // The newest version of a key comes first.
      (this.#versions.get(key) ?? []).toReversed().map(({ id }) => ({ Key: key, VersionId: id })),
    );
    const matching = all.filter(({ Key }) => Key.startsWith(Prefix));
    const marker = matching.findIndex(
      ({ Key, VersionId }) => Key === KeyMarker && VersionId === VersionIdMarker,
    );
    const page = matching.slice(marker + 1, marker + 1 + MaxKeys);
    const last = page.at(-1);
    return {
      Versions: page,
      IsTruncated: marker + 1 + MaxKeys < matching.length,
      NextKeyMarker: last?.Key,
      NextVersionIdMarker: last?.VersionId,
    };
  }

  async get({
    Key,
    VersionId,
  }: {
    readonly Key: string;
    readonly VersionId?: string;
  }): Promise<string> {
    const versions = this.#versions.get(Key) ?? [];
    if (VersionId === undefined && this.#deleted.has(Key)) throw new Error('NoSuchKey');
    const found =
      VersionId === undefined ? versions.at(-1) : versions.find(({ id }) => id === VersionId);
    if (found === undefined) throw new Error('NoSuchVersion');
    return found.Body;
  }

  keys(): string[] {
    return [...this.#versions.keys()].sort();
  }

  inputOf(key: string): PutObjectInput {
    return (this.#versions.get(key) ?? [])[0] as PutObjectInput;
  }

  /** A deletion without a version adds a marker. */
  markDeleted(key: string): void {
    this.#deleted.add(key);
  }

  deleteVersion(key: string, index: number): void {
    const version = this.#versions.get(key)?.[index];
    if (version === undefined) throw new Error('NoSuchVersion');
    if (version.ObjectLockRetainUntilDate.getTime() > this.#clock.now()) {
      throw new Error('AccessDenied');
    }
    this.#versions.get(key)?.splice(index, 1);
  }
}
