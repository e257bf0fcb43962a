export { type MemorySinkOptions, memorySink } from './memory-sink.ts';
