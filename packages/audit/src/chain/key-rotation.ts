import { OWN_EVENT_TYPE } from '../log/own-events.ts';
import type { AuditEvent } from './event.ts';
import { openNote, signNote } from './signed-note.ts';
import { type NoteSigner, noteVerifier } from './signing-key.ts';

/** Action of the event by which a log states that its next checkpoints are signed by another key. */
export const ROTATE = 'rotate';

/** First line of the signed text. No checkpoint has a verifier key as its third line. */
const DOMAIN = 'temper-audit rotate v1';

/** A statement of a log that a key replaces another one. */
export interface KeyRotation {
  /** Sequence of the statement. */
  readonly sequence: number;
  /** The verifier key that is replaced. */
  readonly from: string;
  /** The verifier key that replaces it. */
  readonly to: string;
}

/** The details of a statement, signed by the present key and, as a proof of possession, by the next one. */
export async function rotationDetails(
  log: string,
  present: NoteSigner,
  next: NoteSigner,
): Promise<{ readonly from: string; readonly to: string; readonly note: string }> {
  const note = await signNote(textOf(log, next.verifierKey), [present, next]);
  return { from: present.verifierKey, to: next.verifierKey, note };
}

function textOf(log: string, to: string): string {
  return `${DOMAIN}\n${log}\n${to}\n`;
}

/** Whether an event of the log says that it is such a statement. */
export function statesRotation({
  eventType,
  action,
}: Pick<AuditEvent, 'eventType' | 'action'>): boolean {
  return eventType === OWN_EVENT_TYPE && action === ROTATE;
}

/** The statement of an event; undefined if it is none that both keys have signed for this log. */
export function rotationOf(event: AuditEvent): KeyRotation | undefined {
  if (!statesRotation(event)) return undefined;
  const { from, to, note } = event.details;
  if (typeof from !== 'string' || typeof to !== 'string' || typeof note !== 'string') {
    return undefined;
  }
  try {
    for (const key of [from, to]) {
      if (openNote(note, [noteVerifier(key)]).text !== textOf(event.log, to)) return undefined;
    }
  } catch {
    return undefined; // anyone who can write to the store may have written it
  }
  return from === to ? undefined : { sequence: event.sequence, from, to };
}
