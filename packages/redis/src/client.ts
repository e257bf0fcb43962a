import { show } from '@temper/core/policy';
import { NotConnectedError } from './errors.ts';
import type { Script } from './scripts/script.ts';

/** The part of an `ioredis` client (`Redis` or `Cluster`) that is used. */
export interface IoredisLike {
  readonly status: string;
  evalsha(sha: string, keys: number, ...keysAndArguments: string[]): Promise<unknown>;
  eval(source: string, keys: number, ...keysAndArguments: string[]): Promise<unknown>;
}

/** How the `redis` package passes keys and arguments to a script. */
interface ScriptInput {
  readonly keys: string[];
  readonly arguments: string[];
}

/** The part of a client of the `redis` package (single, pool or cluster) that is used. */
export interface NodeRedisLike {
  readonly isOpen?: boolean;
  readonly isReady?: boolean;
  evalSha(sha: string, input: ScriptInput): Promise<unknown>;
  eval(source: string, input: ScriptInput): Promise<unknown>;
}

/** A client of either package. */
export type RedisClient = IoredisLike | NodeRedisLike;

/** Runs scripts by either client. */
export interface ScriptRunner {
  /**
   * Runs a script on keys of one slot. Its source is sent only when the server does not know it: the first time,
   * and after a restart, a failover or `SCRIPT FLUSH`.
   *
   * @throws {NotConnectedError} when the client knows that its connection is down: it would queue the
   * command, which would then take units that no caller waits for any more
   */
  run(script: Script, keys: readonly string[], args: readonly string[]): Promise<unknown>;
}

/**
 * @param store - the store's name, for errors
 * @throws {TypeError} when the client is of neither package
 */
export function scriptRunner(store: string, client: unknown): ScriptRunner {
  if (isIoredis(client)) return new IoredisRunner(store, client);
  if (isNodeRedis(client)) return new NodeRedisRunner(store, client);
  throw new TypeError(
    `redisStore: client must be one of ioredis (5 or later) or of redis (4 or later), got ${show(client)}.`,
  );
}

function isIoredis(client: unknown): client is IoredisLike {
  const { evalsha, eval: whole, status } = (client ?? {}) as Partial<IoredisLike>;
  return typeof evalsha === 'function' && typeof whole === 'function' && typeof status === 'string';
}

function isNodeRedis(client: unknown): client is NodeRedisLike {
  const { evalSha, eval: whole } = (client ?? {}) as Partial<NodeRedisLike>;
  return typeof evalSha === 'function' && typeof whole === 'function';
}

/** States of an ioredis connection that was lost or closed. */
const DOWN: ReadonlySet<string> = new Set(['close', 'reconnecting', 'disconnecting', 'end']);

class IoredisRunner implements ScriptRunner {
  readonly #store: string;
  readonly #client: IoredisLike;

  constructor(store: string, client: IoredisLike) {
    this.#store = store;
    this.#client = client;
  }

  async run(
    { sha, source }: Script,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<unknown> {
    if (DOWN.has(this.#client.status))
      throw new NotConnectedError(this.#store, this.#client.status);
    try {
      return await this.#client.evalsha(sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return this.#client.eval(source, keys.length, ...keys, ...args);
    }
  }
}

class NodeRedisRunner implements ScriptRunner {
  readonly #store: string;
  readonly #client: NodeRedisLike;

  constructor(store: string, client: NodeRedisLike) {
    this.#store = store;
    this.#client = client;
  }

  async run(
    { sha, source }: Script,
    keys: readonly string[],
    args: readonly string[],
  ): Promise<unknown> {
    // A cluster client has no such flag; it notices by itself.
    if (this.#client.isReady === false) throw new NotConnectedError(this.#store, 'not ready');
    const input = { keys: [...keys], arguments: [...args] };
    try {
      return await this.#client.evalSha(sha, input);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return this.#client.eval(source, input);
    }
  }
}

function isUnknownScript(error: unknown): boolean {
  return error instanceof Error && error.message.startsWith('NOSCRIPT');
}
