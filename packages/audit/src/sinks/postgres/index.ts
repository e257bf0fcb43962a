export { type PostgresSinkOptions, postgresSink } from './postgres-sink.ts';
export { PostgresSource, postgresWriters } from './postgres-source.ts';
