export { cached } from './cached/cached.ts';
export { chaos } from './chaos/chaos.ts';
export { fallback } from './fallback/fallback.ts';
export { hedge } from './hedge/hedge.ts';
export { pipeline } from './pipeline/pipeline.ts';
export { timeout } from './timeout/timeout.ts';
