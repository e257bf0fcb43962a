import { randomFillSync, randomUUID } from 'node:crypto';
import { systemClock } from '@temper/core';
import { messageOf } from '@temper/core/policy';
import { canonicalize, type JsonObject } from '../chain/canonical-json.ts';
import { OLD_GENESIS, type OldEvent, parseOldLine } from '../chain/format-1.ts';
import {
  type ChainHead,
  Draft,
  FORMAT,
  genesis,
  type OpenEvent,
  type SealedEvent,
} from '../chain/hash-chain.ts';
import { leafOf, MerkleFrontier } from '../chain/merkle.ts';
import { AuditCorruptError } from '../errors.ts';
import type { AuditSink, AuditSource } from '../sinks/sink.ts';
import { uuidV7Generator } from './intake/uuid-v7.ts';
import { OWN_EVENT_TYPE } from './own-events.ts';

/** Result of {@link migrateLog}. */
export interface MigrationReport {
  /** Events that were copied. */
  readonly events: number;
  /** Identifier of the new log. */
  readonly log: string;
  /** Last sequence and hash of the old log. */
  readonly sequence: number;
  readonly hash: string;
}

/** Events per write. */
const BATCH = 1_000;

/**
 * Copies a log of the format 1 into an empty sink as a log of the present format.
 *
 * Content, ids, times and order of the events stay; sequences start at 1, and every event is hashed
 * anew. The last event of the new log, `migrate`, has the last sequence, the last hash and the Merkle
 * root of the old log: keep the old log and its checkpoints, which prove what the new one was made from.
 *
 * @throws {AuditCorruptError} if the old log is not valid
 * @throws {TypeError} if the sink has events
 */
export async function migrateLog(
  from: AuditSource,
  to: AuditSink,
  id: string = randomUUID(),
): Promise<MigrationReport> {
  const corrupt = (sequence: number, what: string): AuditCorruptError =>
    new AuditCorruptError(from.name, from.name, sequence, what);
  const { head: found } = await to.open(id);
  try {
    if (found.sequence > 0) {
      throw new TypeError(`migrateLog: the sink '${to.name}' is not empty; give it a new one.`);
    }
    const anchor = await from.anchor();
    const begin = anchor?.sequence ?? 0;
    let old = { sequence: begin, hash: anchor?.hash ?? OLD_GENESIS };
    const tree = begin === 0 ? new MerkleFrontier() : undefined;
    let head: ChainHead = genesis(id);
    for await (const lines of from.read({})) {
      const batch: SealedEvent[] = [];
      for (const line of lines) {
        const event = parsed(line, (what) => corrupt(old.sequence + 1, what));
        if (event.sequence !== old.sequence + 1 || event.prev !== old.hash) {
          throw corrupt(old.sequence + 1, 'the chain is broken');
        }
        old = { sequence: event.sequence, hash: event.hash };
        tree?.append(leafOf(event.hash));
        const sealed = draftOf(event.fields).seal(head);
        head = sealed.event;
        batch.push(sealed);
      }
      for (let i = 0; i < batch.length; i += BATCH) await to.write(batch.slice(i, i + BATCH));
    }
    const events = head.sequence;
    const details = {
      format: 1,
      first: begin + 1,
      ...old,
      ...(tree && { root: tree.root().toString('base64') }),
    };
    await to.write([note(details).seal(head)]);
    return { events, log: id, ...old };
  } finally {
    await to.close();
  }
}

function parsed(line: string, corrupt: (what: string) => AuditCorruptError): OldEvent {
  try {
    return parseOldLine(line);
  } catch (error) {
    throw corrupt(messageOf(error));
  }
}

/** The same event without its place in the old chain. */
function draftOf(fields: JsonObject): Draft {
  const event = { ...fields, v: FORMAT, log: '', prev: '', hash: '', sequence: 0 };
  return new Draft(event as unknown as OpenEvent, canonicalize(fields.details ?? {}));
}

function note(details: JsonObject): Draft {
  const now = systemClock.now();
  const event: OpenEvent = {
    id: uuidV7Generator(() => now, randomFillSync)(),
    sequence: 0,
    timestamp: new Date(now).toISOString(),
    eventType: OWN_EVENT_TYPE,
    action: 'migrate',
    resource: 'log',
    status: 'success',
    details,
    v: FORMAT,
    log: '',
    prev: '',
    hash: '',
  };
  return new Draft(event, canonicalize(details));
}
