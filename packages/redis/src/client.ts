import { show } from '@temper/core';
import type { Script } from './scripts/script.ts';

/** As much of an `ioredis` client (`Redis` or `Cluster`) as is used. */
export interface IoredisLike {
  readonly status: string;
  evalsha(sha: string, keys: number, ...keysAndArguments: string[]): Promise<unknown>;
  eval(source: string, keys: number, ...keysAndArguments: string[]): Promise<unknown>;
}

/** What a script is given by the `redis` package. */
interface ScriptInput {
  readonly keys: string[];
  readonly arguments: string[];
}

/** As much of a client of the `redis` package (single, pool or cluster) as is used. */
export interface NodeRedisLike {
  readonly isOpen?: boolean;
  readonly isReady?: boolean;
  evalSha(sha: string, input: ScriptInput): Promise<unknown>;
  eval(source: string, input: ScriptInput): Promise<unknown>;
}

/** A client of either package. */
export type RedisClient = IoredisLike | NodeRedisLike;

/** One way to run scripts, whatever the client. */
export interface ScriptRunner {
  /**
   * Runs a script on one key. It is sent whole only when the server does not know it: the first time,
   * and after a restart, a failover or `SCRIPT FLUSH`.
   *
   * @throws at once when the client knows that its connection is down: a command would only wait in
   * its memory, and take units for nobody when it is sent at last
   */
  run(script: Script, key: string, args: readonly string[]): Promise<unknown>;
}

/** The client knows that its connection is down. */
export class NotConnectedError extends Error {
  readonly code = 'ECONNABORTED';

  constructor(state: string) {
    super(`The Redis client is ${state}.`);
  }

  override get name(): string {
    return 'NotConnectedError';
  }
}

/**
 * @throws {TypeError} when the client is of neither package
 */
export function scriptRunner(owner: string, client: unknown): ScriptRunner {
  if (isIoredis(client)) return new IoredisRunner(client);
  if (isNodeRedis(client)) return new NodeRedisRunner(client);
  throw new TypeError(
    `${owner}: client must be one of ioredis (5 or later) or of redis (4 or later), got ${show(client)}.`,
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

/** States of an ioredis connection that has been lost or given up. */
const DOWN: ReadonlySet<string> = new Set(['close', 'reconnecting', 'disconnecting', 'end']);

class IoredisRunner implements ScriptRunner {
  readonly #client: IoredisLike;

  constructor(client: IoredisLike) {
    this.#client = client;
  }

  async run({ sha, source }: Script, key: string, args: readonly string[]): Promise<unknown> {
    if (DOWN.has(this.#client.status)) throw new NotConnectedError(this.#client.status);
    try {
      return await this.#client.evalsha(sha, 1, key, ...args);
    } catch (error) {
      if (!isUnknownScript(error)) throw error;
      return this.#client.eval(source, 1, key, ...args);
    }
  }
}

class NodeRedisRunner implements ScriptRunner {
  readonly #client: NodeRedisLike;

  constructor(client: NodeRedisLike) {
    this.#client = client;
  }

  async run({ sha, source }: Script, key: string, args: readonly string[]): Promise<unknown> {
    // A cluster does not say whether it is ready, and finds out itself.
    if (this.#client.isReady === false) throw new NotConnectedError('not ready');
    const input = { keys: [key], arguments: [...args] };
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
