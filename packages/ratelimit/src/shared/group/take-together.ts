import type { SharedAnswer, SharedAsk } from '../shared-member.ts';
import { type GroupPart, takeOfAll, tooLarge, worstOf } from './group-ask.ts';

/** The place of each limit among those that are asked. */
interface PlacedPart extends GroupPart {
  readonly place: number;
}

/**
 * Takes from several limits at once, or from none, for a call that does not wait. Each counts what it has answered.
 *
 * @returns the answers up to the refusal; only the limit that refuses is not `allowed`
 * @throws {RateLimitExceededError} (as a rejection) when a cost can never pass
 * @throws {StoreUnavailableError} (as a rejection) of a limit that is `closed`, when its store is away
 */
export async function takeTogether(asks: readonly SharedAsk[]): Promise<readonly SharedAnswer[]> {
  const parts = asks.map(({ member, key: caller = '', cost }, place): PlacedPart => {
    member.backend.checkCost(cost);
    const key = member.limitOf(caller);
    return { place, id: `${place}:${key}`, limit: {}, member, key, caller, cost };
  });
  const large = tooLarge(parts);
  if (large !== undefined) {
    const { member, key, cost } = large;
    const error = member.parts.tooMuch(member.backend.capacity(key), cost);
    member.observer.countOf(error);
    throw error;
  }
  const answers = await takeOfAll(parts, 0);
  const refused = worstOf(answers);
  if (refused === undefined)
    for (const { part } of answers) part.member.observer.countOf('allowed');
  else refused.part.member.observer.answered(false);
  return answers.map((answer) => {
    const { place } = answer.part as PlacedPart;
    return { place, decision: { ...answer.decision, allowed: answer !== refused } };
  });
}
