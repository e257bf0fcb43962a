import { type AbortListener, listenForAbort, stopListening } from '@temper/core/policy';

/**
 * Waits for an answer unless the call ends before. Who awaits this owns the answer from the moment in which the
 * promise is fulfilled.
 *
 * @param undo - gives back what an answer grants that nobody waits for any more
 * @throws `signal.reason` (as a rejection) when the signal aborts
 */
export function unlessAborted<T>(
  answer: Promise<T>,
  signal: AbortSignal | undefined,
  undo: (answer: T) => void,
): Promise<T> {
  if (signal === undefined) return answer;
  return new Promise((resolve, reject) => {
    let gone = false;
    const onAbort: AbortListener = () => {
      gone = true;
      reject(signal.reason);
    };
    if (signal.aborted) onAbort();
    else listenForAbort(signal, onAbort);
    const answered = (value: T): void => {
      stopListening(signal, onAbort);
      if (gone) undo(value);
      else resolve(value);
    };
    const failed = (error: unknown): void => {
      stopListening(signal, onAbort);
      reject(error);
    };
    answer.then(answered, failed);
  });
}
