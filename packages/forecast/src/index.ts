export { type PredictionCheck, predictionCheck } from './predict/check.ts';
export type { PredictorOptions, SignalSources } from './predict/options.ts';
export type { Driver, Prediction } from './predict/prediction.ts';
export {
  type FailurePredictor,
  type PredictorCall,
  type PredictorStats,
  predictFailure,
} from './predict/predictor.ts';
export type { Signal } from './predict/signals.ts';
