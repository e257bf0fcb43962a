import { methodsRule, notify, type Resolved, resolveOptions, typeRule } from '@temper/core/policy';
import { type ChainHead, checkLine, checkLink, EMPTY_HEAD } from '../chain/hash-chain.ts';
import { decodeFrontier, leafOf, MerkleFrontier } from '../chain/merkle.ts';
import { AuditCorruptError } from '../errors.ts';
import { textsRule } from '../option-rules.ts';
import type { Anchor, AuditSource } from '../sinks/sink.ts';
import { CheckpointComparison } from './checkpoint-comparison.ts';
import type { VerifyOptions, VerifyProblem, VerifyReport } from './verify-report.ts';

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
      requireCheckpoint: typeRule('boolean'),
      signal: methodsRule('throwIfAborted'),
      onProgress: typeRule('function'),
    },
  );
  const anchor = await source.anchor();
  const run = new Verification(anchor);
  const checkpoints = new CheckpointComparison(await source.checkpoints(), all, run.frontier?.size);
  let problem = checkpoints.problem ?? checkpoints.at(run.frontier);
  if (problem === undefined) problem = await run.read(source, checkpoints, all);
  problem ??= checkpoints.end(run.head.sequence, all);
  return {
    ok: problem === undefined,
    problem,
    events: run.events,
    first: run.events === 0 ? 0 : run.head.sequence - run.events + 1,
    last: run.events === 0 ? 0 : run.head.sequence,
    hash: run.head.hash,
    root: run.frontier?.root().toString('base64'),
    anchor,
    checkpoints: checkpoints.counts,
  };
}

/** State of a verification. */
class Verification {
  head: ChainHead;
  /** Undefined if the anchor of the log has no frontier. */
  readonly frontier: MerkleFrontier | undefined;
  events = 0;

  constructor(anchor: Anchor | undefined) {
    this.head = anchor ?? EMPTY_HEAD;
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
          const problem = this.#step(line) ?? checkpoints.at(this.frontier);
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

  #step(line: string): VerifyProblem | undefined {
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
    const broken = checkLink(event, this.head);
    if (broken === 'sequence') return outOfPlace(event.sequence, expected);
    if (broken === 'prev') return this.#unlinked(event.sequence);
    this.head = event;
    this.frontier?.append(leafOf(event.hash));
    this.events++;
    return undefined;
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
