import { messageOf } from '@temper/core/policy';
import { decodeBase64 } from '../chain/base64.ts';
import { parseCheckpoint, signCheckpoint } from '../chain/checkpoint.ts';
import { generateSigningKey, noteSigner, noteVerifier } from '../chain/signing-key.ts';
import { verifyLog } from '../read/verify.ts';
import type { VerifyReport } from '../read/verify-report.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { type FleetMember, openFleet } from './fleet-tree.ts';

/** Options of the verification of a fleet. */
export interface VerifyFleetOptions {
  /** Fleet checkpoints that were stored where nobody with access to the store can change them: their texts. */
  readonly checkpoints: readonly string[];
  /** Verifier keys of the fleet, and of its logs. Without a key signatures are not verified. */
  readonly keys?: readonly string[];
  /** The origin that the checkpoints must have. */
  readonly origin?: string;
}

/** A problem of a fleet. */
export interface FleetProblem {
  /** `checkpoint`: it is invalid. `fork`: two have one number. `removed`: a log is missing. `log`: see its report. */
  readonly kind: 'checkpoint' | 'fork' | 'removed' | 'log';
  /** Identifier of the log; undefined for a problem of the checkpoints. */
  readonly log: string | undefined;
  readonly message: string;
}

/** Result of the verification of a fleet. */
export interface FleetReport {
  /** Whether there is no problem, and something that the fleet was held to. */
  readonly ok: boolean;
  readonly problems: readonly FleetProblem[];
  /** What the verification did not show, in sentences. */
  readonly notShown: readonly string[];
  /** Number of the last checkpoint that was given; 0 without one. */
  readonly number: number;
  /** The report of each log that is there, by identifier. */
  readonly logs: ReadonlyMap<string, VerifyReport>;
}

/**
 * Verifies the logs of a fleet against checkpoints that were stored elsewhere: that each log is there and
 * continues what each checkpoint has committed to, and that no two checkpoints contradict each other.
 *
 * @param sources - of the logs that are there, by identifier
 */
export async function verifyFleet(
  sources: ReadonlyMap<string, AuditSource>,
  { checkpoints, keys = [], origin }: VerifyFleetOptions,
): Promise<FleetReport> {
  const problems: FleetProblem[] = [];
  const report = (kind: FleetProblem['kind'], message: string, log?: string): void => {
    problems.push({ kind, log, message });
  };
  const verifiers = keys.map(noteVerifier);
  const notes = new Map<number, string>();
  const wanted = new Map<string, FleetMember[]>();
  const retired = new Set<string>();
  for (const text of checkpoints) {
    try {
      const { body, members } = openFleet(text, verifiers);
      const expected = origin ?? body.origin;
      if (body.origin !== expected) throw new TypeError(`Its origin is '${body.origin}'.`);
      const other = notes.get(body.number);
      if (other !== undefined && other !== body.root) {
        report('fork', `Two different checkpoints have the number ${body.number}.`);
      }
      notes.set(body.number, body.root);
      for (const member of members) {
        const sizes = wanted.get(member.log);
        if (sizes === undefined) wanted.set(member.log, [member]);
        else sizes.push(member);
        if (member.retired) retired.add(member.log);
      }
    } catch (error) {
      report('checkpoint', `A checkpoint of the fleet is invalid: ${messageOf(error)}`);
    }
  }
  const logs = new Map<string, VerifyReport>();
  for (const [log, members] of wanted) {
    const source = sources.get(log);
    if (source !== undefined) {
      const found = await verifyMember(source, log, members, keys);
      logs.set(log, found);
      if (found.problem !== undefined) report('log', found.problem.message, log);
    } else if (!retired.has(log) && members.some(({ size }) => size > 0)) {
      report('removed', `The log of the writer '${members[0]?.writer}' is missing.`, log);
    }
  }
  const notShown: string[] = [];
  if (wanted.size === 0)
    notShown.push('No checkpoint of the fleet was given: logs may be missing.');
  if (keys.length === 0) notShown.push('No key was given: signatures were not verified.');
  for (const log of sources.keys()) {
    if (!wanted.has(log)) notShown.push(`No checkpoint covers the log ${log}.`);
  }
  const number = Math.max(0, ...notes.keys());
  return { ok: problems.length === 0 && wanted.size > 0, problems, notShown, number, logs };
}

/** Verifies a log against what the fleet has committed to, which is given to it as checkpoints of its own. */
async function verifyMember(
  source: AuditSource,
  log: string,
  members: readonly FleetMember[],
  keys: readonly string[],
): Promise<VerifyReport> {
  // All checkpoints of a verification have one origin: that of the log's own ones, if it has any.
  const own = (await source.checkpoints())[0];
  const origin = own === undefined ? log : parseCheckpoint(own.note).origin;
  const { secretKey, verifierKey } = generateSigningKey('fleet');
  const signer = noteSigner(secretKey);
  const committed = members.filter(({ size }) => size > 0);
  const checkpoints = await Promise.all(
    committed.map(({ size, root }) =>
      signCheckpoint({ origin, size, root: decodeBase64(root) }, [signer]),
    ),
  );
  return verifyLog(source, { keys: [...keys, verifierKey], checkpoints, log });
}
