import {
  checkType,
  type Defaults,
  methodsRule,
  type OptionRule,
  resolveOptions,
  typeRule,
} from '@temper/core/policy';
import { decodeBase64 } from '../chain/base64.ts';
import { type ChainHead, checkLine, checkLink } from '../chain/hash-chain.ts';
import { decodeFrontier, encodeFrontier, leafOf, MerkleFrontier } from '../chain/merkle.ts';
import { type NoteSigner, noteVerifier } from '../chain/signing-key.ts';
import { textRule } from '../option-rules.ts';
import {
  inTransaction,
  type PostgresClient,
  type PostgresPool,
} from '../sinks/postgres/postgres-client.ts';
import { tablesIn } from '../sinks/postgres/postgres-schema.ts';
import { PostgresSource, postgresWriters } from '../sinks/postgres/postgres-source.ts';
import type { AuditSource } from '../sinks/sink.ts';
import {
  checkMembers,
  encodeFleet,
  type FleetMember,
  fleetRoot,
  openFleet,
  signFleet,
} from './fleet-tree.ts';
import { type FleetReport, type VerifyFleetOptions, verifyFleet } from './verify-fleet.ts';

/** Options of {@link postgresFleet}. */
export interface PostgresFleetOptions {
  /** A pool of `pg`. */
  readonly pool: PostgresPool;
  /** Schema of the tables of the sinks. @defaultValue 'public' */
  readonly schema?: string;
  /** Signs the checkpoints of the fleet; its name is their origin. Not needed to verify. */
  readonly signer?: NoteSigner;
  /**
   * The last published checkpoint, from where nobody with access to the store can change it: its text, or a
   * function that returns it or, if there is none, `undefined`. Nothing is signed unless the fleet continues it.
   *
   * @defaultValue none: only the checkpoint in the store is continued
   */
  readonly last?: string | (() => string | undefined | PromiseLike<string | undefined>);
}

type Unset = 'pool' | 'signer' | 'last';

/** The defaults of {@link PostgresFleetOptions}, as the README's table shows them. */
export const FLEET_DEFAULTS: Defaults<PostgresFleetOptions, Unset> = { schema: 'public' };

/** The logs of all writers of a schema. */
export interface PostgresFleet {
  /**
   * Signs a checkpoint over all logs and stores it. Publish it where nobody with access to the store can change
   * it. Several processes may do so at a time: each checkpoint continues the one before.
   *
   * @param options.retire - identifiers of logs that leave the fleet for good, and may then be removed
   * @returns the text of the checkpoint
   * @throws {FleetError} (as a rejection) if a log does not continue the last checkpoint, or is missing
   * @throws {TypeError} (as a rejection) without a signer
   */
  checkpoint(options?: { readonly retire?: readonly string[] }): Promise<string>;
  /** Verifies all logs of the store against checkpoints that were stored elsewhere. */
  verify(options: VerifyFleetOptions): Promise<FleetReport>;
  /** The logs that have events, by identifier. */
  sources(): Promise<ReadonlyMap<string, AuditSource>>;
}

/** The fleet cannot be signed: it is not what was signed before. */
export class FleetError extends Error {
  override readonly name = 'FleetError';
  readonly code = 'AUDIT_FLEET';
  /** Identifier of the log; undefined if it is the last checkpoint itself. */
  readonly log: string | undefined;

  constructor(message: string, log?: string) {
    super(log === undefined ? message : `Log ${log} of the fleet: ${message}`);
    this.log = log;
  }
}

const OWNER = 'postgresFleet';
const lastRule: OptionRule = (owner, option, value) => {
  if (typeof value !== 'string') typeRule('function')(owner, option, value);
};

/**
 * One root over the logs of all writers of {@link postgresSink} in a schema: a published checkpoint reveals that
 * any of them was rolled back, rewritten or removed.
 *
 * @throws {TypeError} if an option is invalid, see {@link PostgresFleetOptions}
 */
export function postgresFleet(options: PostgresFleetOptions): PostgresFleet {
  const all = resolveOptions<PostgresFleetOptions, Unset>(OWNER, options, FLEET_DEFAULTS, {
    pool: methodsRule('connect', 'query'),
    schema: textRule,
    signer: methodsRule('sign'),
    last: lastRule,
  });
  checkType(OWNER, 'pool', all.pool, 'object');
  return new Fleet(all as PostgresFleetOptions & { readonly schema: string });
}

/** A member with what is needed to continue its tree. */
interface StoredMember extends FleetMember {
  readonly frontier: readonly string[];
  /** Hash of its last event. */
  readonly hash: string;
}

class Fleet implements PostgresFleet {
  readonly #options: PostgresFleetOptions & { readonly schema: string };
  readonly #table: string;

  constructor(options: PostgresFleetOptions & { readonly schema: string }) {
    this.#options = options;
    tablesIn(options.schema); // checks the name
    this.#table = `"${options.schema}"."audit_fleet"`;
  }

  async sources(): Promise<ReadonlyMap<string, AuditSource>> {
    return new Map([...(await this.#logs())].map(([log, { source }]) => [log, source]));
  }

  async #logs(): Promise<Map<string, { readonly writer: string; readonly source: AuditSource }>> {
    const { pool, schema } = this.#options;
    const logs = new Map<string, { writer: string; source: AuditSource }>();
    for (const writer of await postgresWriters(pool, schema)) {
      const source = new PostgresSource(pool, writer, schema);
      const log = await identifierOf(source);
      if (log === undefined) continue;
      const other = logs.get(log)?.writer;
      if (other !== undefined) {
        throw new FleetError(`the writers '${other}' and '${writer}' both have it.`, log);
      }
      logs.set(log, { writer, source });
    }
    return logs;
  }

  async verify(options: VerifyFleetOptions): Promise<FleetReport> {
    return verifyFleet(await this.sources(), options);
  }

  async checkpoint(options: { readonly retire?: readonly string[] } = {}): Promise<string> {
    const { pool, schema, signer } = this.#options;
    if (signer === undefined) throw new TypeError(`${OWNER}: signer is needed for a checkpoint.`);
    const client = await pool.connect();
    // Without a listener, an error of an idle connection would end the process.
    client.on('error', () => undefined);
    let broken = true;
    try {
      await client.query('SET synchronous_commit = on');
      await client
        .query(
          `CREATE TABLE IF NOT EXISTS ${this.#table} (
           number bigint PRIMARY KEY, note text NOT NULL, members jsonb NOT NULL)`,
        )
        .catch(unlessCreated);
      const text = await inTransaction(client, async () => {
        await client.query(
          `SELECT pg_advisory_xact_lock(hashtextextended('temper audit fleet ' || $1, 0))`,
          [schema],
        );
        return this.#sign(client, signer, new Set(options.retire ?? []));
      });
      broken = false;
      return text;
    } finally {
      client.release(broken);
    }
  }

  /** In a transaction that excludes every other. */
  async #sign(
    client: PostgresClient,
    signer: NoteSigner,
    retire: ReadonlySet<string>,
  ): Promise<string> {
    const last = await this.#last(client, signer);
    const members = await this.#members(last?.members ?? [], retire);
    const number = (last?.number ?? 0) + 1;
    const shown = checkMembers(members);
    const root = fleetRoot(shown);
    const body = { origin: signer.name, number, count: members.length, root };
    const note = await signFleet(body, [signer]);
    await client.query(`INSERT INTO ${this.#table} VALUES ($1, $2, $3)`, [
      number,
      note,
      JSON.stringify(members),
    ]);
    return encodeFleet({ note, members: shown });
  }

  /** The last checkpoint of the store, which continues the last published one. */
  async #last(
    client: PostgresClient,
    signer: NoteSigner,
  ): Promise<{ readonly number: number; readonly members: readonly StoredMember[] } | undefined> {
    const verifiers = [noteVerifier(signer.verifierKey)];
    const { last } = this.#options;
    const text = typeof last === 'function' ? await last() : last;
    const published = text === undefined ? undefined : openFleet(text, verifiers);
    const { rows } = await client.query(
      `SELECT number, note, members FROM ${this.#table} ORDER BY number DESC LIMIT 1`,
    );
    const row = rows[0] as { number: string; note: string; members: StoredMember[] } | undefined;
    if (row === undefined) {
      if (published === undefined) return undefined;
      throw new FleetError(
        `the store has no checkpoint, and ${published.body.number} were published.`,
      );
    }
    const { body } = openFleet(
      encodeFleet({ note: row.note, members: checkMembers(row.members) }),
      verifiers,
    );
    if (published !== undefined) await this.#continues(client, published.body, body.number);
    return { number: body.number, members: row.members };
  }

  async #continues(
    client: PostgresClient,
    { number, root }: { readonly number: number; readonly root: string },
    last: number,
  ): Promise<void> {
    if (number > last) {
      throw new FleetError(`the store ends at checkpoint ${last}, and ${number} was published.`);
    }
    const { rows } = await client.query(`SELECT members FROM ${this.#table} WHERE number = $1`, [
      number,
    ]);
    const row = rows[0] as { members: StoredMember[] } | undefined;
    if (row !== undefined && fleetRoot(checkMembers(row.members)) === root) return;
    throw new FleetError(`the store has another checkpoint ${number} than was published.`);
  }

  async #members(
    before: readonly StoredMember[],
    retire: ReadonlySet<string>,
  ): Promise<readonly StoredMember[]> {
    const logs = await this.#logs();
    const known = new Map(before.map((member) => [member.log, member]));
    const unknown = [...retire].find((log) => !known.has(log) && !logs.has(log));
    if (unknown !== undefined) throw new FleetError('it cannot retire: it is not known.', unknown);
    const members: StoredMember[] = [];
    for (const log of [...new Set([...known.keys(), ...logs.keys()])].sort(byUnits)) {
      const last = known.get(log);
      const found = logs.get(log);
      if (last?.retired === true) members.push(last);
      else if (found !== undefined) {
        const grown = await grow(log, found.writer, found.source, last);
        members.push({ ...grown, retired: retire.has(log) });
      } else if (last !== undefined && retire.has(log)) members.push({ ...last, retired: true });
      else throw new FleetError('it is missing; name it in `retire` if it was removed.', log);
    }
    return members;
  }
}

/** Two processes that create the table at the same time: one of them fails, and it exists. */
function unlessCreated(error: unknown): undefined {
  const { code } = error as { readonly code?: unknown };
  if (code === '23505' || code === '42P07') return undefined;
  throw error;
}

function byUnits(a: string, b: string): number {
  return a < b ? -1 : 1;
}

/** The identifier of the log that a source has; undefined if it has no events. */
async function identifierOf(source: AuditSource): Promise<string | undefined> {
  for await (const [line] of source.read({ reverse: true })) {
    const checked = line === undefined ? undefined : checkLine(line);
    if (checked?.fault === undefined) return checked?.event.log;
    throw new FleetError(`the last event of '${source.name}' is damaged: ${checked.message}`);
  }
  return (await source.anchor())?.log;
}

/**
 * A member with the events since the last checkpoint, each of which must continue the chain.
 *
 * @throws {FleetError} if the log does not continue what was committed to
 */
async function grow(
  log: string,
  writer: string,
  source: AuditSource,
  last: StoredMember | undefined,
): Promise<StoredMember> {
  const anchor = await source.anchor();
  let head: ChainHead = { sequence: 0, hash: '', log };
  let tree = new MerkleFrontier();
  if (last !== undefined) {
    tree = decodeFrontier(last.size, last.frontier);
    if (!tree.root().equals(decodeBase64(last.root))) {
      throw new FleetError('its tree in the store is not that of the last checkpoint.', log);
    }
    head = { sequence: last.size, hash: last.hash, log };
  }
  if (anchor !== undefined && anchor.sequence > head.sequence) {
    if (last !== undefined || anchor.frontier === undefined) {
      throw new FleetError(`retention has removed events after ${head.sequence}.`, log);
    }
    tree = decodeFrontier(anchor.sequence, anchor.frontier);
    head = { sequence: anchor.sequence, hash: anchor.hash, log };
  }
  // The last event that was committed to must still be there, or have been removed by retention.
  const from = Math.max(head.sequence, 1 + (anchor?.sequence ?? 0));
  let confirmed = head.sequence <= (anchor?.sequence ?? 0);
  for await (const lines of source.read({ from })) {
    for (const line of lines) {
      const checked = checkLine(line);
      if (checked.fault !== undefined) throw new FleetError(checked.message, log);
      const { event } = checked;
      if (event.sequence === head.sequence && !confirmed) {
        if (event.hash !== head.hash) {
          throw new FleetError(
            `event ${event.sequence} was changed since the last checkpoint.`,
            log,
          );
        }
        confirmed = true;
        continue;
      }
      const fault = checkLink(event, head);
      if (fault !== undefined) {
        throw new FleetError(
          `event ${head.sequence + 1} does not continue the chain (${fault}).`,
          log,
        );
      }
      head = event;
      tree.append(leafOf(event.hash));
    }
  }
  if (!confirmed)
    throw new FleetError(`it has less than the ${head.sequence} events committed.`, log);
  const root = tree.root().toString('base64');
  const { sequence: size, hash } = head;
  return { log, writer, size, root, retired: false, frontier: encodeFrontier(tree), hash };
}
