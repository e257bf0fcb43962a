export type { Bench, Measure } from './types.ts';
