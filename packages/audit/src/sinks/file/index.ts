export { fileSink } from './file-sink.ts';
export type { FileSinkOptions } from './file-sink-options.ts';
export { FileSource } from './file-source.ts';
