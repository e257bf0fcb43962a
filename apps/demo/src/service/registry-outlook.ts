import { type FailurePredictor, predictFailure, predictionCheck } from '@temper/forecast';
import type { HealthMonitor } from '@temper/health';
import type { OperationEvent } from '@temper/parsercraft-handlers';
import type { WireTap } from '../subsystems/wire-tap.ts';

/**
 * Steps of a quarter of a second, where the default is five seconds: the usual is learned in nine seconds,
 * and a demonstration need not last for half an hour.
 */
const STEP_MS = 250;
/** Half the default: without durations there is nothing that is noisy in a calm. */
const THRESHOLD = 4;

/** What is watched of the guarded operations. */
interface Operations {
  onOperation(listener: (event: OperationEvent) => unknown): Disposable;
}

/**
 * Watches the packages that users fetch, and the errors of the registry that retries hide from them at
 * first. Durations are left out: registry, service and browser share one machine here, and its other work
 * shows in them.
 */
export function registryOutlook(
  operations: Operations,
  tap: WireTap,
  monitor: HealthMonitor,
): FailurePredictor {
  // #region outlook
  const outlook = predictFailure({
    name: 'registry_outlook',
    stepMs: STEP_MS,
    threshold: THRESHOLD,
    sources: { retries: () => tap.counts().failed },
  });
  operations.onOperation(({ operation, status }) => {
    if (operation !== 'fetch_package') return;
    outlook.record({ failed: status !== 'success', durationMs: 0 });
  });
  monitor.register(predictionCheck(outlook));
  // #endregion
  return outlook;
}
