/** Listeners to add to the process. */
export interface ProcessListeners {
  readonly signals: readonly NodeJS.Signals[];
  readonly onSignal: (signal: NodeJS.Signals) => void;
  /** If undefined, Node's default applies: it prints the error and ends the process. */
  readonly onUncaughtException: ((error: unknown) => void) | undefined;
  /** If undefined, Node's default applies: it raises an uncaught exception. */
  readonly onUnhandledRejection: ((error: unknown) => void) | undefined;
}

/**
 * Adds listeners to the process. No other code in this package does. Disposing of the result removes
 * them. Signal listeners do not keep the process alive.
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
