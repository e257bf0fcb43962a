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

/** The audit log of the service with its verification and its sink. */
export interface AuditTrail {
  readonly log: AuditLog;
  readonly disk: FillableSink;
  /** Whether events are stored on disk. */
  readonly durable: boolean;
  /** Verifies the chain, its signatures and the checkpoints that are kept outside the log. */
  verify(): Promise<VerifyReport>;
}

interface AuditTrailOptions {
  /** Folder of the log and its key; undefined for a log in memory. */
  readonly dataDir: string | undefined;
  /** Whether operations are refused or continue while the log is unavailable. */
  readonly whenUnavailable: 'refuse' | 'degrade';
}

/** Oldest events are removed beyond this number, which keeps full verification fast. */
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
  // Only checkpoints kept outside the log reveal that it was truncated or rewritten.
  const checkpoints: string[] = [];
  // #region audit log
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
  // #endregion
  return {
    log,
    disk,
    durable: dataDir !== undefined,
    verify: () =>
      log.verify({ keys: [verifierKey], checkpoints: [...checkpoints], requireCheckpoint: false }),
  };
}

/** The signing key of the checkpoints, created at the first start and stored beside the log. */
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
