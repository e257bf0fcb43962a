import type { AuditEvent } from '@temper/audit';
import type { BreakerStats } from '@temper/breaker';
import type { ErrorContext } from '@temper/core';
import { errorType, safeText } from '@temper/core/policy';
import type { HealthSummary } from '@temper/health';
import type { LspState } from '@temper/parsercraft';
import {
  type HardeningSettings,
  type OperationEvent,
  PIPELINE_PARTS,
} from '@temper/parsercraft-handlers';
import type { LimitState, TokenBucketStats } from '@temper/ratelimit';
import type { RetryPolicy, RetryStats } from '@temper/retry';
import { withoutInnerPlaces } from '../http/inner-places.ts';
import type { Service } from '../service/service.ts';
import { type ChangedSetting, changedSettings } from '../service/settings.ts';
import type { PoolStats } from '../workers/pool.ts';
import { shownStatus } from './operation-meter.ts';

/** A finished operation as the page shows it. */
export interface OperationView {
  readonly operation: string;
  readonly resource: string;
  readonly status: string;
  readonly durationMs: number;
  readonly attempts: number;
  readonly errorType: string | undefined;
}

const MAX_TEXT = 200;

export function operationView(event: OperationEvent): OperationView {
  const { operation, resource, durationMs, attempts, error } = event;
  return {
    operation,
    resource: safeText(resource, MAX_TEXT),
    status: shownStatus(event),
    durationMs: Math.round(durationMs * 100) / 100,
    attempts,
    errorType: error === undefined ? undefined : errorType(error),
  };
}

/** Pipelines, settings and state of the policies of a service. */
interface PoliciesView {
  /** Policies of each operation, outermost first. */
  readonly pipelines: typeof PIPELINE_PARTS;
  readonly breakers: Readonly<Record<string, BreakerStats>>;
  readonly limiters: Readonly<Record<string, TokenBucketStats & LimitState>>;
  readonly retries: Readonly<Record<string, RetryStats>>;
  readonly settings: HardeningSettings;
  /** Settings that differ from the defaults. */
  readonly changed: readonly ChangedSetting[];
  readonly process: {
    readonly pid: number;
    readonly uptimeSeconds: number;
    readonly rss: number;
    readonly heapUsed: number;
  };
}

export function policiesView({ hardening, overrides }: Service): PoliciesView {
  const { breakers, limiters, retries } = hardening.policies;
  const { rss, heapUsed } = process.memoryUsage();
  return {
    pipelines: PIPELINE_PARTS,
    breakers: mapped(breakers, (breaker) => breaker.stats()),
    limiters: mapped(limiters, (limiter) => ({ ...limiter.stats(), ...limiter.peek() })),
    retries: mapped(retries as Readonly<Record<string, RetryPolicy>>, (retry) => retry.stats()),
    settings: hardening.settings,
    changed: changedSettings(overrides),
    process: {
      pid: process.pid,
      uptimeSeconds: Math.round(process.uptime()),
      rss,
      heapUsed,
    },
  };
}

function mapped<T, R>(
  record: Readonly<Record<string, T>>,
  view: (one: T) => R,
): Readonly<Record<string, R>> {
  return Object.fromEntries(Object.entries(record).map(([name, one]) => [name, view(one)]));
}

const MAX_MESSAGE = 500;

/** A handled error without the error object, with its message truncated to 500 characters. */
export function errorView(error: ErrorContext): ReturnType<ErrorContext['toJSON']> {
  const view = error.toJSON();
  return { ...view, message: safeText(view.message, MAX_MESSAGE) };
}

/** An event of the audit log as everybody may read it. */
export function auditView(event: AuditEvent): AuditEvent {
  return event.error === undefined ? event : { ...event, error: withoutInnerPlaces(event.error) };
}

/** Health as returned by `GET /v1/health` and published to the page. */
interface HealthView extends HealthSummary {
  readonly children: {
    readonly registry: { readonly pid: number };
    readonly lsp: {
      readonly pid: number | undefined;
      readonly state: LspState;
      readonly restarts: number;
    };
    /** The processes that work on programs. */
    readonly workers: PoolStats;
  };
}

export async function healthView({
  hardening,
  lsp,
  registry,
  workers,
}: Service): Promise<HealthView> {
  const { pid, state, restarts } = lsp.process;
  const summary = await hardening.health();
  return {
    ...summary,
    children: {
      registry: { pid: registry.pid },
      lsp: { pid, state, restarts },
      workers: workers.stats(),
    },
  };
}
