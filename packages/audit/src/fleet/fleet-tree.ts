import { decodeBase64 } from '../chain/base64.ts';
import { leafHash, MerkleFrontier, type NodeHash } from '../chain/merkle.ts';
import { inclusionRanges, RangeHasher, verifyInclusion } from '../chain/merkle-proof.ts';
import { openNote, parseNote, signNote } from '../chain/signed-note.ts';
import type { NoteSigner, NoteVerifier } from '../chain/signing-key.ts';

/** Prefixes of what is hashed and signed, so that nothing else can pass as it. */
const MEMBER_DOMAIN = 'temper-audit fleet member v1';
const NOTE_DOMAIN = 'temper-audit fleet v1';
/** Most members of a fleet: the checkpoint of a larger one would not be read. */
const MAX_MEMBERS = 100_000;

/** What a fleet checkpoint commits to of one log. */
export interface FleetMember {
  /** Identifier of the log. */
  readonly log: string;
  /** Name of its writer. */
  readonly writer: string;
  /** Number of its events. */
  readonly size: number;
  /** Root of the Merkle tree over them, base64. */
  readonly root: string;
  /** Whether the log has left the fleet: it can be missing, and does not grow. */
  readonly retired: boolean;
}

/** Content of the signed note of a fleet. */
export interface FleetBody {
  /** Identifier of the fleet. */
  readonly origin: string;
  /** Number of the checkpoint: 1, 2, 3, … without a gap. */
  readonly number: number;
  /** Number of members, retired ones included. */
  readonly count: number;
  /** Root of the Merkle tree over the members, in order of their identifiers, base64. */
  readonly root: string;
}

/** A fleet checkpoint: the signed note, and the members that its root commits to. */
export interface FleetCheckpoint {
  readonly note: string;
  readonly members: readonly FleetMember[];
}

/** The leaf of a member. */
function memberLeaf({ log, writer, size, root, retired }: FleetMember): NodeHash {
  const text = JSON.stringify([MEMBER_DOMAIN, log, writer, size, root, retired]);
  return leafHash(Buffer.from(text));
}

/** The root over the members, in their order. */
export function fleetRoot(members: readonly FleetMember[]): string {
  const tree = new MerkleFrontier();
  for (const member of members) tree.append(memberLeaf(member));
  return tree.root().toString('base64');
}

export function signFleet(
  { origin, number, count, root }: FleetBody,
  signers: readonly NoteSigner[],
): Promise<string> {
  return signNote(`${NOTE_DOMAIN}\n${origin}\n${number}\n${count}\n${root}\n`, signers);
}

/**
 * Reads the note of a fleet, and verifies its signature if there are verifiers.
 *
 * @throws {TypeError} if it is malformed or has no valid signature of any verifier
 */
export function openFleetNote(note: string, verifiers: readonly NoteVerifier[]): FleetBody {
  const { text } = verifiers.length > 0 ? openNote(note, verifiers) : parseNote(note);
  const [domain, origin = '', number = '', count = '', root = '', ...rest] = text
    .slice(0, -1)
    .split('\n');
  const isNumber = (digits: string): boolean => /^(0|[1-9][0-9]{0,14})$/.test(digits);
  const known = domain === NOTE_DOMAIN && rest.length === 0 && origin !== '';
  if (!known || !isNumber(number) || !isNumber(count) || decodeBase64(root).length !== 32) {
    throw new TypeError('The note is not the checkpoint of a fleet.');
  }
  return { origin, number: Number(number), count: Number(count), root };
}

/** A fleet checkpoint as one text, to be stored elsewhere. */
export function encodeFleet({ note, members }: FleetCheckpoint): string {
  return `${JSON.stringify({ v: 1, note, members })}\n`;
}

/**
 * A fleet checkpoint from its text, whose members are those that its note commits to.
 *
 * @throws {TypeError} if it is malformed, or has no valid signature of any verifier
 */
export function openFleet(
  text: string,
  verifiers: readonly NoteVerifier[],
): FleetCheckpoint & { readonly body: FleetBody } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new TypeError('The checkpoint of a fleet is not JSON.');
  }
  const { v, note, members } = (value ?? {}) as Partial<Record<string, unknown>>;
  if (v !== 1 || typeof note !== 'string' || !Array.isArray(members)) {
    throw new TypeError('The text is not the checkpoint of a fleet.');
  }
  const body = openFleetNote(note, verifiers);
  const checked = checkMembers(members);
  if (checked.length !== body.count || fleetRoot(checked) !== body.root) {
    throw new TypeError('The members are not those that the note of the fleet commits to.');
  }
  return { note, members: checked, body };
}

/** @throws {TypeError} unless they are members, in order and each once */
export function checkMembers(values: readonly unknown[]): readonly FleetMember[] {
  let before: string | undefined;
  return values.map((value) => {
    const { log, writer, size, root, retired } = (value ?? {}) as Partial<FleetMember>;
    if (
      values.length > MAX_MEMBERS ||
      typeof log !== 'string' ||
      typeof writer !== 'string' ||
      !Number.isSafeInteger(size) ||
      (size as number) < 0 ||
      typeof root !== 'string' ||
      decodeBase64(root).length !== 32 ||
      typeof retired !== 'boolean' ||
      (before !== undefined && log <= before)
    ) {
      throw new TypeError('A member of the fleet is malformed, not in order, or there twice.');
    }
    before = log;
    return { log, writer, size: size as number, root, retired };
  });
}

/** Proves that a member is in a fleet, without the other members. */
export interface MembershipProof {
  readonly member: FleetMember;
  /** Position of the member, from 0. */
  readonly index: number;
  /** Hashes of the proof, base64, from the leaf to the root. */
  readonly nodes: readonly string[];
}

/** @throws {RangeError} if the fleet has no such log */
export function proveMembership(members: readonly FleetMember[], log: string): MembershipProof {
  const index = members.findIndex((member) => member.log === log);
  if (index < 0) throw new RangeError(`The fleet checkpoint has no log '${log}'.`);
  const hasher = new RangeHasher(inclusionRanges(index, members.length));
  for (const member of members) hasher.append(memberLeaf(member));
  const nodes = hasher.roots().map((node) => node.toString('base64'));
  return { member: members[index] as FleetMember, index, nodes };
}

/** Whether the proof shows that its member is in the fleet with this note. */
export function checkMembership(
  { member, index, nodes }: MembershipProof,
  { count, root }: FleetBody,
): boolean {
  if (!(Number.isSafeInteger(index) && index >= 0 && index < count)) return false;
  const [checked] = checkMembers([member]);
  const leaf = memberLeaf(checked as FleetMember);
  return verifyInclusion(index, count, leaf, nodes.map(decodeBase64), decodeBase64(root));
}
