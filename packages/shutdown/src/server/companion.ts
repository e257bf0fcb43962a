import type { EventEmitter } from 'node:events';

/**
 * Puts a listener before the user's for as long as the user has one. On a server a listener is more
 * than an ear: with one for `upgrade` Node hands sockets over, with one for `checkContinue` it leaves
 * the answer to it. So ours comes with the user's and goes with it.
 */
export function accompany<Args extends unknown[]>(
  emitter: EventEmitter,
  event: string,
  listener: (...args: Args) => void,
): Disposable {
  const ours = listener as (...args: unknown[]) => void;
  let present = false;
  const come = (): void => {
    if (present) return;
    present = true;
    emitter.prependListener(event, ours);
  };
  const go = (): void => {
    if (!present) return;
    present = false;
    emitter.off(event, ours);
  };
  const onNew = (added: string | symbol, fn: unknown): void => {
    if (added === event && fn !== ours) come();
  };
  const onRemove = (removed: string | symbol): void => {
    if (removed === event && emitter.listenerCount(event) === 1) go();
  };
  if (emitter.listenerCount(event) > 0) come();
  emitter.on('newListener', onNew);
  emitter.on('removeListener', onRemove);
  return {
    [Symbol.dispose]: () => {
      emitter.off('newListener', onNew);
      emitter.off('removeListener', onRemove);
      go();
    },
  };
}
