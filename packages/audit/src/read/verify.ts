import {
  methodsRule,
  notify,
  numberRule,
  type Resolved,
  resolveOptions,
  safeText,
  typeRule,
} from '@temper/core/policy';
import type { AuditEvent } from '../chain/event.ts';
import { type ChainHead, checkLine, checkLink, EMPTY_HEAD } from '../chain/hash-chain.ts';
import { rotationOf, statesRotation } from '../chain/key-rotation.ts';
import { decodeFrontier, leafOf, MerkleFrontier } from '../chain/merkle.ts';
import { AuditCorruptError } from '../errors.ts';
import { Holds } from '../log/holds.ts';
import { OWN_EVENT_TYPE } from '../log/own-events.ts';
import { textRule, textsRule } from '../option-rules.ts';
import type { Anchor, AuditSource, StoredCheckpoint } from '../sinks/sink.ts';
import { CheckpointComparison } from './checkpoint-comparison.ts';
import type { LogPart } from './log-part.ts';
import type { TrustedKeys } from './trusted-keys.ts';
import {
  isHeld,
  isStatement,
  otherEnd,
  shorter,
  unstated,
  whatEarlierKeysShow,
  whatIsNotShown,
} from './verdict.ts';
import type { VerifyOptions, VerifyProblem, VerifyReport } from './verify-report.ts';

/** Attempts to verify a log whose oldest events are being removed. */
const MAX_ATTEMPTS = 20;
/** Number of events between two calls of {@link VerifyOptions.onProgress}. */
const PROGRESS_EVENTS = 8_192;

const OWNER = 'verify';

/**
 * Verifies the hash chain and the checkpoints of a whole log, in constant memory.
 *
 * @throws {TypeError} (as a rejection) if an option is invalid, see {@link VerifyOptions}
 * @throws `signal.reason` (as a rejection) if the signal aborts
 */
export async function verifyLog(
  source: AuditSource,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const all = resolveOptions<VerifyOptions, keyof VerifyOptions>(
    OWNER,
    options,
    {},
    {
      keys: textsRule,
      checkpoints: textsRule,
      origin: textRule,
      log: textRule,
      size: numberRule({ min: 0, integer: true }),
      requireCheckpoint: typeRule('boolean'),
      signal: methodsRule('throwIfAborted'),
      onProgress: typeRule('function'),
    },
  );
  return verifySource(source, all);
}

/** {@link verifyLog} with checked options. */
export async function verifySource(
  source: AuditSource,
  options: Resolved<VerifyOptions, keyof VerifyOptions>,
  part?: LogPart,
): Promise<VerifyReport> {
  for (let attempt = 1; ; attempt++) {
    const anchor = await anchorOf(source);
    const report = await verifyOnce(source, anchor, options, part);
    if (report.problem === undefined) return report;
    // Retention may have removed events between the reads of the anchor and of the events. A problem
    // counts only if it has not.
    const now = await anchorOf(source);
    if (now instanceof AuditCorruptError || sequenceOf(now) === sequenceOf(anchor)) return report;
    if (attempt >= MAX_ATTEMPTS) {
      throw new Error(
        `Log ${safeText(source.name)} cannot be verified while retention removes its events faster than they are read.`,
      );
    }
  }
}

type StoredAnchor = Anchor | AuditCorruptError | undefined;

/** The anchor, or the error if it is malformed. */
async function anchorOf(source: AuditSource): Promise<StoredAnchor> {
  try {
    return await source.anchor();
  } catch (error) {
    if (error instanceof AuditCorruptError) return error;
    throw error;
  }
}

function sequenceOf(anchor: StoredAnchor): number | undefined {
  return anchor instanceof AuditCorruptError ? undefined : anchor?.sequence;
}

async function verifyOnce(
  source: AuditSource,
  found: StoredAnchor,
  options: Resolved<VerifyOptions, keyof VerifyOptions>,
  part: LogPart | undefined,
): Promise<VerifyReport> {
  const anchor = found instanceof AuditCorruptError ? undefined : found;
  const run = new Verification(anchor, options.log ?? part?.log);
  let problem = found instanceof AuditCorruptError ? damage(found) : undefined;
  let stored: readonly StoredCheckpoint[] = [];
  try {
    if (problem === undefined) stored = await source.checkpoints();
  } catch (error) {
    if (!(error instanceof AuditCorruptError)) throw error;
    problem = damage(error);
  }
  const checkpoints = new CheckpointComparison(stored, options, run.frontier?.size, part);
  problem ??= checkpoints.problem ?? checkpoints.at(run.frontier);
  if (problem === undefined) problem = await run.read(source, checkpoints, options);
  problem ??= part && otherEnd(run.head.sequence, part.to);
  problem ??= checkpoints.end(run.head.sequence, run.frontier, options);
  const { counts } = checkpoints;
  problem ??= shorter(run.head.sequence, options);
  problem ??= unstated(anchor, source, run.statement, counts, options);
  const notShown =
    problem === undefined
      ? [
          ...whatIsNotShown(run, anchor, source, counts, options, part),
          ...whatEarlierKeysShow(checkpoints.keys),
        ]
      : [];
  const verdict =
    problem !== undefined ? 'invalid' : isHeld(counts, options, part) ? 'valid' : 'unproven';
  return {
    ok: verdict === 'valid',
    verdict,
    notShown,
    problem,
    events: run.events,
    first: run.events === 0 ? 0 : run.head.sequence - run.events + 1,
    last: run.events === 0 ? 0 : run.head.sequence,
    hash: run.head.hash,
    root: run.frontier?.root().toString('base64'),
    anchor,
    checkpoints: counts,
    replacedKeys: checkpoints.keys.replaced,
  };
}

/** The store itself is damaged, before its first event. */
function damage({ sequence = 1, message }: AuditCorruptError): VerifyProblem {
  return { kind: 'malformed', sequence, message };
}

/** State of a verification. */
class Verification {
  head: ChainHead;
  /** Undefined if the anchor of the log has no frontier. */
  readonly frontier: MerkleFrontier | undefined;
  events = 0;
  /** Sequence of the last statement of the log that it removes the events up to the anchor. */
  statement: number | undefined;
  readonly #anchor: Anchor | undefined;
  readonly #holds: Holds = new Holds();

  constructor(anchor: Anchor | undefined, log: string | undefined) {
    this.#anchor = anchor;
    this.head = anchor ?? EMPTY_HEAD;
    if (log !== undefined) this.head = { ...this.head, log };
    this.frontier =
      anchor === undefined
        ? new MerkleFrontier()
        : anchor.frontier && decodeFrontier(anchor.sequence, anchor.frontier);
  }

  async read(
    source: AuditSource,
    checkpoints: CheckpointComparison,
    { signal, onProgress }: Resolved<VerifyOptions, keyof VerifyOptions>,
  ): Promise<VerifyProblem | undefined> {
    let missing: VerifyProblem | undefined;
    try {
      for await (const lines of source.read({})) {
        signal?.throwIfAborted();
        for (const line of lines) {
          if (missing !== undefined) {
            // The remaining lines decide between 'removed' and 'reordered'.
            if (isSequence(line, missing.sequence))
              return { ...missing, ...misplaced(missing.sequence) };
            continue;
          }
          const problem = this.#step(line, checkpoints.keys) ?? checkpoints.at(this.frontier);
          if (problem?.kind === 'removed') missing = problem;
          else if (problem !== undefined) return problem;
        }
        if (this.events % PROGRESS_EVENTS < lines.length) {
          notify(OWNER, 'onProgress', onProgress, this.events);
        }
      }
    } catch (error) {
      if (!(error instanceof AuditCorruptError)) throw error;
      const sequence = error.sequence ?? this.head.sequence + 1;
      return missing ?? { kind: 'malformed', sequence, message: error.message };
    }
    notify(OWNER, 'onProgress', onProgress, this.events);
    return missing;
  }

  #step(line: string, keys: TrustedKeys): VerifyProblem | undefined {
    const expected = this.head.sequence + 1;
    const checked = checkLine(line);
    if (checked.fault === 'malformed') {
      return {
        kind: 'malformed',
        sequence: expected,
        message: `Event ${expected}: ${checked.message}.`,
      };
    }
    if (checked.fault === 'edited') {
      // The sequence of the event may have been edited too, so its position is reported.
      return {
        kind: 'edited',
        sequence: expected,
        message: `Event ${expected}: ${checked.message}.`,
      };
    }
    const { event } = checked;
    const unlinked = checkLink(event, this.head);
    if (unlinked === 'sequence') return outOfPlace(event.sequence, expected);
    if (unlinked === 'log') {
      const message = `Event ${expected} belongs to another log, ${safeText(event.log)}.`;
      return { kind: 'foreign', sequence: expected, message };
    }
    if (unlinked === 'prev') return this.#unlinked(event.sequence);
    this.head = event;
    const broken = this.#holdBroken(event) ?? rotated(event, keys);
    if (broken !== undefined) return broken;
    if (this.#anchor !== undefined && isStatement(event, this.#anchor)) {
      this.statement = event.sequence;
    }
    this.frontier?.append(leafOf(event.hash));
    this.events++;
    return undefined;
  }

  /** A problem if the event states a removal that a legal hold forbids. */
  #holdBroken({ eventType, action, details, sequence }: AuditEvent): VerifyProblem | undefined {
    if (eventType !== OWN_EVENT_TYPE) return undefined;
    this.#holds.apply(action, details);
    const [hold] = this.#holds.names;
    if (action !== 'retire' || hold === undefined) return undefined;
    const message = `Event ${sequence} states that events are removed, but the hold '${safeText(hold)}' is in force.`;
    return { kind: 'held', sequence, message };
  }

  #unlinked(sequence: number): VerifyProblem {
    if (this.events === 0) {
      const message = `Event ${sequence}, the first of the log, does not continue the anchor.`;
      return { kind: 'edited', sequence, message };
    }
    // The event matches its hash, so its predecessor was edited and rehashed.
    const edited = sequence - 1;
    const message = `Event ${sequence} does not continue event ${edited}, which was edited and rehashed.`;
    return { kind: 'edited', sequence: edited, message };
  }
}

/** Takes note of a statement that a key is replaced; a problem if its keys have not signed it. */
function rotated(event: AuditEvent, keys: TrustedKeys): VerifyProblem | undefined {
  if (!statesRotation(event)) return undefined;
  const { sequence } = event;
  const rotation = rotationOf(event);
  if (rotation === undefined) {
    const message = `Event ${sequence} states that a key is replaced, but its keys have not signed that.`;
    return { kind: 'rotation', sequence, message };
  }
  keys.state(rotation);
  return undefined;
}

function outOfPlace(sequence: number, expected: number): VerifyProblem {
  if (sequence < expected) {
    return {
      kind: 'inserted',
      sequence,
      message: `Event ${sequence} is in the place of event ${expected}.`,
    };
  }
  const last = sequence - 1;
  const which = last === expected ? `Event ${expected} is` : `Events ${expected} to ${last} are`;
  return { kind: 'removed', sequence: expected, message: `${which} missing.` };
}

function misplaced(sequence: number): Pick<VerifyProblem, 'kind' | 'message'> {
  return {
    kind: 'reordered',
    message: `Event ${sequence} is out of order: it comes later in the log.`,
  };
}

function isSequence(line: string, sequence: number): boolean {
  const checked = checkLine(line);
  return checked.fault === undefined && checked.event.sequence === sequence;
}
