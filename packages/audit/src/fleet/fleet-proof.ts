import { noteVerifier } from '../chain/signing-key.ts';
import { checkInclusion, type InclusionProof, proveInclusion } from '../read/proofs.ts';
import type { AuditSource } from '../sinks/sink.ts';
import {
  checkMembership,
  type MembershipProof,
  openFleet,
  openFleetNote,
  proveMembership,
} from './fleet-tree.ts';

/** Proves that an event is in a log of a fleet to a verifier who has only the signed note and the event's hash. */
export interface FleetProof {
  readonly event: InclusionProof;
  readonly membership: MembershipProof;
}

/**
 * Proves that an event is in a log that a fleet checkpoint commits to.
 *
 * @param source - of the log
 * @param checkpoint - text of the fleet checkpoint
 * @param log - identifier of the log
 * @param sequence - of the event
 * @throws {TypeError} (as a rejection) if the checkpoint is malformed
 * @throws {RangeError} (as a rejection) if it has no such log or event, or retention has removed needed events
 */
export async function proveFleet(
  source: AuditSource,
  checkpoint: string,
  log: string,
  sequence: number,
): Promise<FleetProof> {
  const membership = proveMembership(openFleet(checkpoint, []).members, log);
  return { event: await proveInclusion(source, sequence, membership.member.size), membership };
}

/**
 * Whether a proof shows that its event is in the fleet whose note is signed by a key.
 *
 * @param note - signed note of the fleet checkpoint
 * @param keys - verifier keys to trust
 * @throws {TypeError} if no key is given, or the note has no valid signature of one
 */
export function checkFleetProof(
  { event, membership }: FleetProof,
  note: string,
  keys: readonly string[],
): boolean {
  if (keys.length === 0) throw new TypeError('checkFleetProof: keys must have at least one key.');
  const body = openFleetNote(note, keys.map(noteVerifier));
  const { member } = membership;
  try {
    return (
      checkMembership(membership, body) &&
      event.log === member.log &&
      event.size === member.size &&
      event.root === member.root &&
      checkInclusion(event)
    );
  } catch {
    return false; // what cannot be decoded
  }
}
