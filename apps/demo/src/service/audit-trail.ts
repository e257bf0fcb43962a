import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type AuditLog,
  auditLog,
  generateSigningKey,
  noteSigner,
  type VerifyReport,
} from '@temper/audit';
import { memorySink } from '@temper/audit/memory';
import { sqliteSink } from '@temper/audit/sqlite';
import { type FillableSink, fillable } from './full-disk.ts';

/** The audit log of the service, what it is verified with, and its disk. */
export interface AuditTrail {
  readonly log: AuditLog;
  readonly disk: FillableSink;
  /** Whether events survive the process. */
  readonly durable: boolean;
  /** Holds the whole log against its chain, its signatures and the checkpoints kept outside of it. */
  verify(): Promise<VerifyReport>;
}

interface AuditTrailOptions {
  /** Where the log and its key are kept; in memory without it. */
  readonly dataDir: string | undefined;
  /** What happens to an operation that cannot be audited. */
  readonly whenUnavailable: 'refuse' | 'degrade';
}

/** Events of a demo are of no interest for long; verification reads all of them. */
const MAX_EVENTS = 20_000;
const KEPT_CHECKPOINTS = 32;
const LOG_NAME = 'parsercraft';

export function auditTrail({ dataDir, whenUnavailable }: AuditTrailOptions): AuditTrail {
  if (dataDir !== undefined) mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const { secretKey, verifierKey } = signingKey(dataDir);
  const sink =
    dataDir === undefined
      ? memorySink({ capacity: MAX_EVENTS })
      : sqliteSink({ path: join(dataDir, 'audit.db'), maxEvents: MAX_EVENTS });
  const disk = fillable(sink);
  // Kept outside of the log: they alone show that a log was cut or written anew.
  const checkpoints: string[] = [];
  const log = auditLog({
    name: LOG_NAME,
    sinks: [disk],
    whenUnavailable,
    checkpoints: {
      signer: noteSigner(secretKey),
      everyEvents: 200,
      everyMs: 5_000,
      publish: (note) => {
        checkpoints.push(note);
        if (checkpoints.length > KEPT_CHECKPOINTS) checkpoints.shift();
      },
    },
  });
  return {
    log,
    disk,
    durable: dataDir !== undefined,
    verify: () =>
      log.verify({ keys: [verifierKey], checkpoints: [...checkpoints], requireCheckpoint: false }),
  };
}

/** The key that signs checkpoints: made at the first start, and kept beside the log by its owner. */
function signingKey(dataDir: string | undefined): { secretKey: string; verifierKey: string } {
  if (dataDir === undefined) return generateSigningKey('parsercraft.demo/audit');
  const path = join(dataDir, 'audit.key');
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const pair = generateSigningKey('parsercraft.demo/audit');
    writeFileSync(path, `${JSON.stringify(pair)}\n`, { mode: 0o600, flag: 'wx' });
    return pair;
  }
}
