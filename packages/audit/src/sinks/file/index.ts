export { type FileSinkOptions, fileSink } from './file-sink.ts';
export { FileSource } from './file-source.ts';
