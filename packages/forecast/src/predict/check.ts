import { checkType } from '@temper/core/policy';
import type { Prediction } from './prediction.ts';

/** A health check of `@temper/health`, which takes it as it is. */
export interface PredictionCheck {
  readonly name: string;
  readonly dependency: true;
  readonly critical: false;
  readonly check: () => {
    readonly status: 'healthy' | 'degraded';
    readonly message: string;
    readonly observed: { readonly name: string; readonly value: number };
    readonly details: Readonly<Record<string, unknown>>;
  };
}

/**
 * A health check that is degraded while a predictor warns, with the drivers as its message. It is never
 * unhealthy: what is predicted has not happened, and taking the service out of traffic does not repair
 * its dependency.
 *
 * @throws {TypeError} when `predictor` is no predictor
 */
export function predictionCheck(predictor: {
  readonly name: string;
  prediction(): Prediction;
}): PredictionCheck {
  checkType('predictionCheck', 'predictor', predictor, 'object');
  checkType('predictionCheck', 'predictor.prediction', predictor.prediction, 'function');
  return {
    name: predictor.name,
    dependency: true,
    critical: false,
    check: () => {
      const { status, score, probability, noticedInMs, reason } = predictor.prediction();
      return {
        status: status === 'warning' ? 'degraded' : 'healthy',
        message: status === 'learning' ? 'learns what is usual' : reason,
        observed: { name: 'score', value: score },
        details: { status, probability, ...(noticedInMs === undefined ? {} : { noticedInMs }) },
      };
    },
  };
}
