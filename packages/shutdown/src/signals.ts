/** What is heard from the process. */
export interface ProcessListeners {
  readonly signals: readonly NodeJS.Signals[];
  readonly onSignal: (signal: NodeJS.Signals) => void;
  /** Left to Node when undefined: it prints the error and ends the process at once. */
  readonly onUncaughtException: ((error: unknown) => void) | undefined;
  /** Left to Node when undefined: it makes an uncaught exception of it. */
  readonly onUnhandledRejection: ((error: unknown) => void) | undefined;
}

/**
 * Puts listeners on the process: the only place in this package that does. Disposing of the result
 * takes them off again. Listeners for signals do not keep the process alive.
 */
export function listenToProcess(listeners: ProcessListeners): Disposable {
  const { signals, onSignal, onUncaughtException, onUnhandledRejection } = listeners;
  const hear = (signal: NodeJS.Signals): void => onSignal(signal);
  for (const signal of signals) process.on(signal, hear);
  if (onUncaughtException !== undefined) process.on('uncaughtException', onUncaughtException);
  if (onUnhandledRejection !== undefined) process.on('unhandledRejection', onUnhandledRejection);
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, hear);
      if (onUncaughtException !== undefined) process.off('uncaughtException', onUncaughtException);
      if (onUnhandledRejection !== undefined) {
        process.off('unhandledRejection', onUnhandledRejection);
      }
    },
  };
}
