import {
  type Defaults,
  methodsRule,
  type OptionRule,
  type Resolved,
  resolveOptions,
  show,
  typeRule,
} from '@temper/core/policy';
import { type NoteSigner, noteVerifier } from '../chain/signing-key.ts';
import { textRule } from '../option-rules.ts';

/** A log that a witness cosigns. */
export interface WitnessedLog {
  /** Origin line of its checkpoints. */
  readonly origin: string;
  /** Verifier keys of its checkpoints; one of them must have signed. */
  readonly keys: readonly string[];
}

/** A checkpoint, signed by a known key, that a witness did not cosign. */
export interface WitnessConflict {
  /**
   * `root`: it has as many events as the cosigned one and another root; the two together prove that the
   * log was rewritten, since its own key signed both. `size`: it has fewer events; the log was rolled back,
   * or somebody sent an old checkpoint again. `proof`: the proof that came with it does not show that it
   * continues the cosigned one; the log was rewritten, or somebody made the proof up.
   */
  readonly kind: 'root' | 'size' | 'proof';
  readonly origin: string;
  /** What the witness has cosigned. */
  readonly cosigned: string;
  /** What it was asked to cosign. */
  readonly refused: string;
}

/** Options of {@link witness}. */
export interface WitnessOptions {
  /** Directory of the state, which only the witness may write. Created with mode 0700. */
  readonly directory: string;
  /** Made by {@link cosigner}; its key must be that of no other witness. */
  readonly cosigner: NoteSigner;
  /** The logs that are cosigned; others are refused. */
  readonly logs: readonly WitnessedLog[];
  /**
   * Called with a checkpoint that a known key has signed and that contradicts what was cosigned. What it
   * throws or rejects with is logged.
   */
  readonly onConflict?: (conflict: WitnessConflict) => unknown;
}

const OWNER = 'witness';

type Unset = 'directory' | 'cosigner' | 'logs' | 'onConflict';
type Required = Omit<WitnessOptions, 'onConflict'> & Pick<WitnessOptions, 'onConflict'>;

/** @throws {TypeError} if an option is invalid, see {@link WitnessOptions} */
export function resolveWitnessOptions(options: WitnessOptions): Required {
  const rules = {
    directory: textRule,
    cosigner: methodsRule('sign'),
    logs: logsRule,
    onConflict: typeRule('function'),
  };
  const none: Defaults<WitnessOptions, Unset> = {};
  const all: Resolved<WitnessOptions, Unset> = resolveOptions<WitnessOptions, Unset>(
    OWNER,
    options,
    none,
    rules,
  );
  textRule(OWNER, 'directory', all.directory);
  rules.cosigner(OWNER, 'cosigner', all.cosigner);
  logsRule(OWNER, 'logs', all.logs);
  return all as Required;
}

const logsRule: OptionRule = (owner, option, value) => {
  if (!Array.isArray(value) || value.length === 0) {
    throw new TypeError(`${owner}: ${option} must be a list of logs, got ${show(value)}.`);
  }
  const origins = new Set<string>();
  (value as readonly WitnessedLog[]).forEach((log, i) => {
    const { origin, keys } = log ?? {};
    textRule(owner, `${option}[${i}].origin`, origin);
    if (!Array.isArray(keys) || keys.length === 0) {
      throw new TypeError(`${owner}: ${option}[${i}].keys must be a list of verifier keys.`);
    }
    for (const key of keys) noteVerifier(key);
    if (origins.has(origin)) {
      throw new TypeError(`${owner}: ${option} has the origin ${show(origin)} twice.`);
    }
    origins.add(origin);
  });
};
