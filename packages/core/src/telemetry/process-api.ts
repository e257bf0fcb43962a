import type { Context } from '@opentelemetry/api';
import { ROOT_CONTEXT } from './api-values.ts';
import type { Attributes } from './definitions.ts';
import { SCHEMA_URL } from './semconv.ts';

/**
 * The object through which every installed copy of the OpenTelemetry API finds what is registered.
 *
 * Core reads it directly and loads no copy of the API: a copy takes longer to load than core does, and
 * ignores this object when an older minor version made it. What core calls of it has not changed since
 * 1.3. See docs/adr/0002-hearing-a-provider-arrive.md and 0026-import-time.md.
 */
export interface ApiGlobal {
  readonly version?: unknown;
  readonly context?: ContextManager;
  readonly trace?: unknown;
  readonly metrics?: unknown;
  readonly logs?: LoggerProvider;
  readonly diag?: DiagnosticLogger;
}

interface ContextManager {
  active(): Context;
  with<T>(context: Context, work: () => T): T;
}

interface DiagnosticLogger {
  error(message: string, ...details: unknown[]): void;
  warn(message: string, ...details: unknown[]): void;
}

/** What gives loggers: a provider of the logs API, of whichever version. */
export interface LoggerProvider {
  getLogger(name: string, version?: string, options?: { schemaUrl?: string }): RecordLogger;
}

/** A log record, as the logs API of every version takes it. */
export interface LogRecordFields {
  readonly eventName: string;
  readonly timestamp?: Date;
  readonly severityNumber: number;
  readonly severityText: string;
  readonly body: string;
  readonly attributes: Attributes;
  readonly context: Context;
}

/** What writes log records. The API has had one since 1.10 only, so its type is not imported. */
export interface RecordLogger {
  emit(record: LogRecordFields): void;
  enabled?(query: {
    readonly eventName: string;
    readonly severityNumber: number;
    readonly context: Context;
  }): boolean;
}

/** OpenTelemetry's severity numbers, which the API has had since 1.10 only. */
export const SEVERITY: Readonly<Record<'INFO' | 'WARN', number>> = { INFO: 9, WARN: 13 };

/** Where copies of `@opentelemetry/api` of a major version find each other. */
export function apiKey(major: number): symbol {
  return Symbol.for(`opentelemetry.js.api.${major}`);
}

const API_KEY = apiKey(1);

/** Where `@opentelemetry/api-logs` keeps its provider, and the version of the contract known here. */
const LOGS_KEY = Symbol.for('io.opentelemetry.js.api.logs');
const LOGS_VERSION = 1;

const root = globalThis as unknown as Record<symbol, unknown>;

/** What is registered in this process; `undefined` before anything is. */
export function processApi(): ApiGlobal | undefined {
  return root[API_KEY] as ApiGlobal | undefined;
}

/** The active context of the process. */
export function activeContext(): Context {
  return processApi()?.context?.active() ?? ROOT_CONTEXT;
}

/** Runs `work` with `context` as the active one. */
export function runInContext<T>(context: Context, work: () => T): T {
  const manager = processApi()?.context;
  return manager === undefined ? work() : manager.with(context, work);
}

/**
 * The logger of the registered provider: that of `@opentelemetry/api` from 1.10 on, or that of
 * `@opentelemetry/api-logs`, which older SDKs register.
 */
export function processLogger(name: string, version: string): RecordLogger | undefined {
  const provider = processApi()?.logs ?? separateLogs();
  return provider && loggerOf(provider, name, version);
}

/** The logger of a provider, which may be of an older SDK. */
export function loggerOf(
  provider: LoggerProvider,
  name: string,
  version: string,
): RecordLogger | undefined {
  const logger: RecordLogger | undefined = provider.getLogger(name, version, {
    schemaUrl: SCHEMA_URL,
  });
  if (logger === undefined || typeof logger.enabled === 'function') return logger;
  // SDKs as old as this one drop the event's name.
  return {
    emit: (record) =>
      logger.emit({
        ...record,
        attributes: { ...record.attributes, 'event.name': record.eventName },
      }),
  };
}

function separateLogs(): LoggerProvider | undefined {
  const find = root[LOGS_KEY];
  return typeof find === 'function' ? find(LOGS_VERSION) : undefined;
}
