import { methodsRule, numberRule, resolveOptions, typeRule } from '@temper/core/policy';
import { parseCheckpoint } from '../../chain/checkpoint.ts';
import { textRule, textsRule } from '../../option-rules.ts';
import {
  type Cosignature,
  cosignaturesOf,
  cosignatureVerifier,
} from '../../witness/cosignature.ts';
import { verifySource } from '../verify.ts';
import type { VerifyOptions, VerifyReport } from '../verify-report.ts';
import { BundleSource } from './bundle-source.ts';
import { type Manifest, partOf } from './manifest.ts';

/** Options of {@link verifyBundle}. */
export interface VerifyBundleOptions
  extends Pick<VerifyOptions, 'keys' | 'checkpoints' | 'origin' | 'log' | 'signal' | 'onProgress'> {
  /** Verifier keys of witnesses that must have cosigned a checkpoint over all events of the bundle. */
  readonly witnessKeys?: readonly string[];
  /** Number of those witnesses that must have. @defaultValue all */
  readonly quorum?: number;
  /**
   * Largest size of the bundle without compression, in bytes.
   *
   * @defaultValue 1_073_741_824 (1 GiB)
   * @throws {RangeError} (as a rejection) unless an integer >= 1
   */
  readonly maxBytes?: number;
}

/** Result of {@link verifyBundle}. */
export interface BundleReport extends VerifyReport {
  /** Size of the largest checkpoint that enough of the given witnesses have cosigned. */
  readonly witnessed: number | undefined;
  /** Its cosignatures. */
  readonly cosignatures: readonly Cosignature[];
}

/** The default of {@link VerifyBundleOptions.maxBytes}. */
export const MAX_BUNDLE_BYTES: number = 1024 * 1024 * 1024;

type Unset = Exclude<keyof VerifyBundleOptions, 'maxBytes'>;

/**
 * Verifies an evidence bundle, without the log and in constant memory. Nothing is written to disk.
 *
 * It is `valid` if a checkpoint covers all of its events that a given key has signed, or that was given. The
 * keys in the bundle are not trusted: without a key or a checkpoint the verdict is `unproven`.
 *
 * @param path - of the `.tgz` file
 * @throws {TypeError | RangeError} (as a rejection) if an option is invalid
 * @throws what the file system fails with, and `signal.reason` if the signal aborts
 */
export async function verifyBundle(
  path: string,
  options: VerifyBundleOptions = {},
): Promise<BundleReport> {
  const {
    maxBytes,
    witnessKeys = [],
    quorum,
    ...all
  } = resolveOptions<VerifyBundleOptions, Unset>(
    'verifyBundle',
    options,
    { maxBytes: MAX_BUNDLE_BYTES },
    {
      keys: textsRule,
      checkpoints: textsRule,
      origin: textRule,
      log: textRule,
      signal: methodsRule('throwIfAborted'),
      onProgress: typeRule('function'),
      witnessKeys: textsRule,
      quorum: numberRule({ min: 1, integer: true }),
      maxBytes: numberRule({ min: 1, integer: true }),
    },
  );
  const witnesses = witnessKeys.map(cosignatureVerifier);
  const needed = quorum ?? witnesses.length;
  if (needed > witnesses.length) {
    throw new RangeError('verifyBundle: quorum must be at most the number of witnessKeys.');
  }
  if (witnesses.length > 0 && (all.keys ?? []).length === 0) {
    throw new TypeError('verifyBundle: witnessKeys need keys of the log.');
  }
  const source = new BundleSource(path, maxBytes);
  const manifest = await source.manifest().catch(() => undefined); // the verification reads it again
  const report = await verifySource(source, all, manifest && partOf(manifest));
  if (report.problem !== undefined || needed === 0 || manifest === undefined) {
    return { ...report, witnessed: undefined, cosignatures: [] };
  }
  const cosigned = largestCosigned(manifest, witnesses, needed);
  if (cosigned !== undefined) return { ...report, ...cosigned };
  const message = `Too few of the given witnesses have cosigned a checkpoint over event ${manifest.to}.`;
  const problem = { kind: 'unwitnessed', sequence: manifest.from, message } as const;
  const invalid = { ok: false, verdict: 'invalid', notShown: [], problem } as const;
  return { ...report, ...invalid, witnessed: undefined, cosignatures: [] };
}

function largestCosigned(
  { checkpoints, to }: Manifest,
  witnesses: Parameters<typeof cosignaturesOf>[1],
  needed: number,
): Pick<BundleReport, 'witnessed' | 'cosignatures'> | undefined {
  const sizes = new Map<number, Map<string, Cosignature>>();
  for (const note of checkpoints) {
    const { size } = parseCheckpoint(note);
    if (size < to) continue;
    const found = sizes.get(size) ?? new Map<string, Cosignature>();
    for (const one of cosignaturesOf(note, witnesses)) found.set(one.witness, one);
    sizes.set(size, found);
  }
  const enough = [...sizes].filter(([, found]) => found.size >= needed);
  const [witnessed, found] = enough.sort(([a], [b]) => b - a)[0] ?? [];
  return found && { witnessed, cosignatures: [...found.values()] };
}
