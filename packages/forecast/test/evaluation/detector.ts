import type { Step } from '../../src/predict/step.ts';

/** A method under evaluation: a score for each step; it warns while the score reaches a threshold. */
export interface Method {
  readonly name: string;
  readonly source: string;
  readonly create: () => Detector;
}

/** One instance of a method, for one dependency. */
export interface Detector {
  update(step: Step): number;
}
