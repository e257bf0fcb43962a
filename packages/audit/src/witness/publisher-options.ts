import {
  methodsRule,
  numberRule,
  type OptionRule,
  resolveOptions,
  typeRule,
} from '@temper/core/policy';
import { noteVerifier } from '../chain/signing-key.ts';
import { listRule, textRule, textsRule } from '../option-rules.ts';
import type { AuditSource } from '../sinks/sink.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import type { CheckpointWitness } from './http-witness.ts';
import type { WitnessError } from './witness-error.ts';

/** Options of {@link checkpointPublisher}. */
export interface PublisherOptions {
  /** Verifier keys of the log. Only checkpoints that one of them has signed are published or believed. */
  readonly keys: readonly string[];
  /**
   * Origin of the log's checkpoints.
   *
   * @defaultValue the name of the first key
   */
  readonly origin?: string;
  /** Returns the source of the log, `() => log.source`, to prove to witnesses that it was only appended to. */
  readonly source?: () => AuditSource;
  /** @defaultValue none */
  readonly witnesses?: readonly CheckpointWitness[];
  /**
   * Number of witnesses that must cosign a checkpoint, and answer when they are asked for the last one.
   *
   * @defaultValue all
   * @throws {RangeError} at construction, unless an integer from 0 to their number
   */
  readonly quorum?: number;
  /** Where cosigned checkpoints are stored; each must store every one. @defaultValue none */
  readonly stores?: readonly CheckpointStore[];
  /**
   * Called with each failure, also of a witness that the quorum spares. What it throws or rejects with is
   * logged.
   */
  readonly onError?: (error: WitnessError) => unknown;
}

/** Checked {@link PublisherOptions} with defaults applied. */
export interface ResolvedPublisher {
  readonly keys: readonly string[];
  readonly origin: string;
  readonly source: (() => AuditSource) | undefined;
  readonly witnesses: readonly CheckpointWitness[];
  readonly quorum: number;
  readonly stores: readonly CheckpointStore[];
  readonly onError: PublisherOptions['onError'];
}

const OWNER = 'checkpointPublisher';

/** @throws {TypeError | RangeError} if an option is invalid, see {@link PublisherOptions} */
export function resolvePublisher(options: PublisherOptions): ResolvedPublisher {
  const all = resolveOptions<PublisherOptions, 'keys' | 'origin' | 'source' | 'quorum' | 'onError'>(
    OWNER,
    options,
    { witnesses: [], stores: [] },
    {
      keys: textsRule,
      origin: textRule,
      source: typeRule('function'),
      witnesses: each(methodsRule('cosign', 'last')),
      quorum: numberRule({ min: 0, integer: true, infinite: false }),
      stores: each(methodsRule('put', 'latest')),
      onError: typeRule('function'),
    },
  );
  const { keys, witnesses, stores } = all;
  textsRule(OWNER, 'keys', keys);
  const [first] = (keys as readonly string[]).map(noteVerifier);
  if (first === undefined) throw new TypeError(`${OWNER}: keys must have a verifier key.`);
  if (witnesses.length + stores.length === 0) {
    throw new TypeError(`${OWNER}: give witnesses, stores or both.`);
  }
  const { quorum = witnesses.length } = all;
  if (quorum > witnesses.length) {
    throw new RangeError(
      `${OWNER}: quorum is ${quorum}, but there are ${witnesses.length} witnesses.`,
    );
  }
  return {
    keys: keys as readonly string[],
    origin: all.origin ?? first.name,
    source: all.source,
    witnesses,
    quorum,
    stores,
    onError: all.onError,
  };
}

function each(rule: OptionRule): OptionRule {
  return (owner, option, value) => {
    listRule(owner, option, value);
    for (const [i, item] of (value as readonly unknown[]).entries()) {
      rule(owner, `${option}[${i}]`, item);
    }
  };
}
