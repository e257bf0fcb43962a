import type { EventEmitter } from 'node:events';

/**
 * Adds a listener before the user's listeners, but only while the user has at least one. On an HTTP
 * server the presence of a listener changes what Node does: with one for `upgrade` it hands over the
 * socket, with one for `checkContinue` it no longer answers itself.
 */
export function addSecondaryListener<Args extends unknown[]>(
  emitter: EventEmitter,
  event: string,
  listener: (...args: Args) => void,
): Disposable {
  const ours = listener as (...args: unknown[]) => void;
  let present = false;
  const add = (): void => {
    if (present) return;
    present = true;
    emitter.prependListener(event, ours);
  };
  const remove = (): void => {
    if (!present) return;
    present = false;
    emitter.off(event, ours);
  };
  const onNew = (added: string | symbol, fn: unknown): void => {
    if (added === event && fn !== ours) add();
  };
  const onRemove = (removed: string | symbol): void => {
    if (removed === event && emitter.listenerCount(event) === 1) remove();
  };
  if (emitter.listenerCount(event) > 0) add();
  emitter.on('newListener', onNew);
  emitter.on('removeListener', onRemove);
  return {
    [Symbol.dispose]: () => {
      emitter.off('newListener', onNew);
      emitter.off('removeListener', onRemove);
      remove();
    },
  };
}
