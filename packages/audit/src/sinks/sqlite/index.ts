export { type SqliteSinkOptions, sqliteSink } from './sqlite-sink.ts';
export { SqliteSource } from './sqlite-source.ts';
