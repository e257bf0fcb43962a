import { decodeBase64 } from '../chain/base64.ts';
import { EMPTY_ROOT, type NodeHash } from '../chain/merkle.ts';

/** Most lines of a consistency proof in a request. */
const MAX_PROOF_LINES = 63;

/** Content of a request to a witness: a checkpoint and the proof that it continues the last one. */
export interface AddCheckpoint {
  /** Number of events of the last checkpoint that the witness has cosigned; 0 if there is none. */
  readonly old: number;
  /** RFC 6962 consistency proof from `old` to the size of the checkpoint. */
  readonly proof: readonly NodeHash[];
  /** The signed checkpoint. */
  readonly note: string;
}

/** The body of a request `add-checkpoint`. @see https://c2sp.org/tlog-witness */
export function formatAddCheckpoint({ old, proof, note }: AddCheckpoint): string {
  const lines = proof.map((node) => `${node.toString('base64')}\n`).join('');
  return `old ${old}\n${lines}\n${note}`;
}

/**
 * Parses the body of a request `add-checkpoint`. The checkpoint in it is not parsed.
 *
 * @throws {TypeError} if it is malformed
 */
export function parseAddCheckpoint(body: string): AddCheckpoint {
  const end = body.indexOf('\n\n');
  if (end < 0) throw new TypeError('The request has no blank line before its checkpoint.');
  const [first = '', ...nodes] = body.slice(0, end).split('\n');
  const old = parseSize(/^old (\S+)$/.exec(first)?.[1] ?? '');
  if (old === undefined) throw new TypeError("The request must start with a line 'old <size>'.");
  if (nodes.length > MAX_PROOF_LINES) {
    throw new TypeError(`A proof must not have more than ${MAX_PROOF_LINES} lines.`);
  }
  const proof = nodes.map(decodeBase64);
  if (proof.some((node) => node.length !== EMPTY_ROOT.length)) {
    throw new TypeError('A line of the proof is not a SHA-256 hash.');
  }
  return { old, proof, note: body.slice(end + 2) };
}

/** A size in decimal without leading zeros; undefined if the text is none. */
export function parseSize(text: string): number | undefined {
  if (!/^(0|[1-9][0-9]{0,15})$/.test(text)) return undefined;
  const size = Number(text);
  return Number.isSafeInteger(size) ? size : undefined;
}
