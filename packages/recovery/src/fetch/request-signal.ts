import { listenForAbort, stopListening } from '@temper/core/policy';

/** A signal, in one of the two forms that undici accepts. */
type RequestSignal = AbortSignal | Pick<NodeJS.EventEmitter, 'once' | 'off'>;

/**
 * Hears the abort of a request of undici. Its handler is told how to abort with the first connection; before
 * that an abort is only seen in the signal of the options.
 *
 * @param signal - of the options; anything else than a signal is ignored
 * @returns stops listening
 */
export function onRequestAbort(signal: unknown, abort: (reason: Error) => void): () => void {
  if (typeof signal !== 'object' || signal === null) return () => {};
  const ended = (): void => {
    const { reason } = signal as Partial<AbortSignal>;
    abort(reason ?? aborted());
  };
  if ((signal as Partial<AbortSignal>).aborted === true) {
    ended();
    return () => {};
  }
  if ('addEventListener' in signal) {
    const own = signal as AbortSignal;
    listenForAbort(own, ended);
    return () => stopListening(own, ended);
  }
  if ('once' in signal && 'off' in signal) {
    const own = signal as Exclude<RequestSignal, AbortSignal>;
    own.once('abort', ended);
    return () => void own.off('abort', ended);
  }
  return () => {};
}

/** As undici has it, for a signal without a reason. */
function aborted(): Error {
  const error = Object.assign(new Error('Request aborted'), { code: 'UND_ERR_ABORTED' });
  return Object.assign(error, { name: 'AbortError' });
}
