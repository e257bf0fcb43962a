export type { Bench, Measure, Overhead, RowName } from './types.ts';
