import type { AuditEvent } from '../chain/event.ts';
import type { ChainHead } from '../chain/hash-chain.ts';
import { OWN_EVENT_TYPE } from '../log/own-events.ts';
import type { Anchor, AuditSource } from '../sinks/sink.ts';
import type { LogPart } from './log-part.ts';
import type { TrustedKeys } from './trusted-keys.ts';
import type { CheckpointCounts, VerifyOptions, VerifyProblem } from './verify-report.ts';

/** Whether an event of the log states that the events up to an anchor are removed. */
export function isStatement(
  { eventType, action, details }: AuditEvent,
  anchor: ChainHead,
): boolean {
  return (
    eventType === OWN_EVENT_TYPE &&
    action === 'retire' &&
    details.to === anchor.sequence &&
    details.hash === anchor.hash
  );
}

/** A problem if the log has fewer events than it is known to have had. */
export function shorter(last: number, { size }: VerifyOptions): VerifyProblem | undefined {
  if (size === undefined || last >= size) return undefined;
  const message = `The log is known to have had ${size} events, but it ends at ${last}.`;
  return { kind: 'truncated', sequence: last + 1, message };
}

/** A problem if a part of a log does not have all of its events, or more. */
export function otherEnd(last: number, to: number): VerifyProblem | undefined {
  if (last === to) return undefined;
  const message = `The last event is ${last}, but the part of the log must end with ${to}.`;
  return { kind: last < to ? 'truncated' : 'inserted', sequence: Math.min(last, to) + 1, message };
}

/** A problem if the log does not state that its first events are removed, or the statement is not trusted. */
export function unstated(
  anchor: Anchor | undefined,
  { partial = false }: AuditSource,
  statement: number | undefined,
  { covered }: CheckpointCounts,
  { keys }: VerifyOptions,
): VerifyProblem | undefined {
  if (anchor === undefined || partial) return undefined;
  const events = `Events up to ${anchor.sequence} are missing`;
  if (statement === undefined) {
    const message = `${events}, and the log does not state that it has removed them.`;
    return { kind: 'removed', sequence: 1, message };
  }
  if (keys === undefined || keys.length === 0 || statement <= covered) return undefined;
  const message = `${events}, and no trusted checkpoint covers event ${statement}, which states their removal.`;
  return { kind: 'unsigned', sequence: statement, message };
}

/**
 * Whether the log was held to something that it could have failed. A part of a log must be covered as a
 * whole, by a checkpoint that is trusted: it was made by those who may have tampered with it.
 */
export function isHeld(
  { trusted, checked, covered }: CheckpointCounts,
  { origin, log, size }: VerifyOptions,
  part: LogPart | undefined,
): boolean {
  if (part !== undefined) return covered >= part.to;
  const sized = size !== undefined && size > 0;
  return trusted > 0 || log !== undefined || sized || (origin !== undefined && checked > 0);
}

/** What a verification without a problem did not show. */
export function whatIsNotShown(
  { events, head }: { readonly events: number; readonly head: ChainHead },
  anchor: Anchor | undefined,
  { partial = false }: AuditSource,
  { trusted, covered }: CheckpointCounts,
  { keys = [], checkpoints = [], origin, log, size }: VerifyOptions,
  part: LogPart | undefined,
): string[] {
  const missing: string[] = [];
  if (events === 0) missing.push('The log has no events: there may have been some.');
  if (trusted === 0) {
    missing.push(
      keys.length > 0
        ? 'No checkpoint is signed by a given key: the events may have been rewritten.'
        : 'No key and no checkpoint was given: the events may have been rewritten.',
    );
  } else if (keys.length === 0) {
    missing.push('No key was given: signatures were not verified.');
  }
  if (trusted > 0 && head.sequence > covered) {
    missing.push(`Events after ${covered} have no checkpoint: they may have been rewritten.`);
  }
  if (part !== undefined) missing.push(`Events after ${part.to} are not in this source.`);
  else if (checkpoints.length === 0 && size === undefined) {
    missing.push('No checkpoint or size from elsewhere was given: the end may have been cut off.');
  }
  if (checkpoints.length === 0 && origin === undefined && log === undefined) {
    missing.push('No origin, log or checkpoint from elsewhere was given: it may be another log.');
  }
  if (anchor !== undefined && partial) {
    missing.push(`Events up to ${anchor.sequence} are not in this source.`);
  }
  return missing;
}

/** What a verification with a key does not show of the keys before it, which were not given. */
export function whatEarlierKeysShow({ unshown }: TrustedKeys): string[] {
  return unshown.map(
    ({ sequence }) =>
      `The key that a given key replaces by event ${sequence} was not given: the later key alone vouches for the events up to there.`,
  );
}
