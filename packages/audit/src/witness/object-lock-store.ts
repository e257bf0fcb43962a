import { type Clock, systemClock } from '@temper/core';
import {
  clockRule,
  methodsRule,
  numberRule,
  oneOfRule,
  resolveOptions,
  typeRule,
} from '@temper/core/policy';
import type { CheckpointBody } from '../chain/checkpoint.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import { rankOf } from './checkpoint-store.ts';

const DAY_MS = 86_400_000;
/** Most versions that are looked at: more is an attempt to hide the last checkpoint. */
const MAX_VERSIONS = 1_000;

/** Input of `PutObjectCommand`, without the bucket. */
export interface PutObjectInput {
  readonly Key: string;
  readonly Body: string;
  readonly ContentType: string;
  readonly ChecksumAlgorithm: 'SHA256';
  readonly ObjectLockMode: 'COMPLIANCE' | 'GOVERNANCE';
  readonly ObjectLockRetainUntilDate: Date;
}

/** Input of `ListObjectVersionsCommand`, without the bucket. */
export interface ListVersionsInput {
  readonly Prefix: string;
  readonly MaxKeys: number;
  readonly KeyMarker?: string;
  readonly VersionIdMarker?: string;
}

/** The part of the output of `ListObjectVersionsCommand` that is used. */
export interface ListVersionsOutput {
  readonly Versions?: readonly { readonly Key?: string; readonly VersionId?: string }[] | undefined;
  readonly IsTruncated?: boolean | undefined;
  readonly NextKeyMarker?: string | undefined;
  readonly NextVersionIdMarker?: string | undefined;
}

/** The operations of S3 that are used; the inputs are those of the AWS SDK, without the bucket. */
export interface ObjectLockClient {
  /** Stores an object: `(input) => s3.send(new PutObjectCommand({ Bucket, ...input }))`. */
  put(input: PutObjectInput): Promise<unknown>;
  /** Lists versions: `(input) => s3.send(new ListObjectVersionsCommand({ Bucket, ...input }))`. */
  list(input: ListVersionsInput): Promise<ListVersionsOutput>;
  /** The text of one version, for example with `GetObjectCommand` and `Body.transformToString()`. */
  get(input: { readonly Key: string; readonly VersionId?: string }): Promise<string>;
}

/** Options of {@link objectLockStore}. */
export interface ObjectLockStoreOptions {
  readonly client: ObjectLockClient;
  /**
   * First part of the keys, unique for the log.
   *
   * @defaultValue 'checkpoints/'
   */
  readonly prefix?: string;
  /**
   * `COMPLIANCE`: nobody can delete a version before its time, the account's owner included.
   * `GOVERNANCE`: a special permission can.
   *
   * @defaultValue 'COMPLIANCE'
   */
  readonly mode?: 'COMPLIANCE' | 'GOVERNANCE';
  /**
   * Time for which a version cannot be deleted, in days.
   *
   * @defaultValue 365
   * @throws {RangeError} at construction, unless an integer from 1 to 36_500
   */
  readonly retainDays?: number;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

const OWNER = 'objectLockStore';

/**
 * Stores checkpoints in an S3 bucket with Object Lock, through a client of yours. All versions are read
 * back, so that neither a delete marker nor a later version of the same key hides a checkpoint.
 *
 * @throws {TypeError | RangeError} if an option is invalid
 */
export function objectLockStore(options: ObjectLockStoreOptions): CheckpointStore {
  const clientRule = methodsRule('put', 'list', 'get');
  const { client, prefix, mode, retainDays, clock } = resolveOptions<
    ObjectLockStoreOptions,
    'client'
  >(
    OWNER,
    options,
    { prefix: 'checkpoints/', mode: 'COMPLIANCE', retainDays: 365, clock: systemClock },
    {
      client: clientRule,
      prefix: typeRule('string'),
      mode: oneOfRule(['COMPLIANCE', 'GOVERNANCE']),
      retainDays: numberRule({ min: 1, max: 36_500, integer: true }),
      clock: clockRule,
    },
  );
  clientRule(OWNER, 'client', client);
  return new ObjectLockStore(client as ObjectLockClient, prefix, mode, retainDays, clock);
}

class ObjectLockStore implements CheckpointStore {
  readonly name: string;
  readonly #client: ObjectLockClient;
  readonly #prefix: string;
  readonly #mode: 'COMPLIANCE' | 'GOVERNANCE';
  readonly #retainDays: number;
  readonly #clock: Clock;

  constructor(
    client: ObjectLockClient,
    prefix: string,
    mode: 'COMPLIANCE' | 'GOVERNANCE',
    retainDays: number,
    clock: Clock,
  ) {
    this.name = `s3:${prefix}`;
    this.#client = client;
    this.#prefix = prefix;
    this.#mode = mode;
    this.#retainDays = retainDays;
    this.#clock = clock;
  }

  async put(note: string, { size }: CheckpointBody): Promise<void> {
    await this.#client.put({
      // The listing is in ascending order of keys, so the last checkpoint comes first.
      Key: `${this.#prefix}${rankOf(size)}-${size}`,
      Body: note,
      ContentType: 'text/plain; charset=utf-8',
      ChecksumAlgorithm: 'SHA256',
      ObjectLockMode: this.#mode,
      ObjectLockRetainUntilDate: new Date(this.#clock.now() + this.#retainDays * DAY_MS),
    });
  }

  async *latest(): AsyncIterable<string> {
    let seen = 0;
    let after: Pick<ListVersionsInput, 'KeyMarker' | 'VersionIdMarker'> = {};
    for (;;) {
      const page = await this.#client.list({ Prefix: this.#prefix, MaxKeys: 100, ...after });
      for (const { Key, VersionId } of page.Versions ?? []) {
        if (Key === undefined) continue;
        if (++seen > MAX_VERSIONS) {
          throw new Error(`none of the first ${MAX_VERSIONS} versions is a checkpoint of the log`);
        }
        yield await this.#client.get({ Key, ...(VersionId === undefined ? {} : { VersionId }) });
      }
      if (page.IsTruncated !== true || page.NextKeyMarker === undefined) return;
      const { NextKeyMarker, NextVersionIdMarker } = page;
      after = {
        KeyMarker: NextKeyMarker,
        ...(NextVersionIdMarker === undefined ? {} : { VersionIdMarker: NextVersionIdMarker }),
      };
    }
  }
}
