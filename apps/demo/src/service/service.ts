import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type SpanMode, systemClock } from '@temper/core';
import { messageOf, safeText } from '@temper/core/policy';
import type { FailurePredictor } from '@temper/forecast';
import { type HealthMonitor, healthMonitor } from '@temper/health';
import { auditLogCheck, eventLoopDelayCheck, heapCheck } from '@temper/health/checks';
import {
  type HardeningOverrides,
  type ParserCraftHardening,
  parserCraftHardening,
} from '@temper/parsercraft-handlers';
import { type RegistryProcess, startRegistry } from '@temper/registry';
import {
  astSubsystem,
  type GeneratedCode,
  type InferredTypes,
  type ProgramSource,
} from '../subsystems/ast.ts';
import { type LspAccess, type LspQuestion, lspAccess } from '../subsystems/lsp.ts';
import { type ProtocolAnswer, protocolSubsystem } from '../subsystems/protocols.ts';
import { type PackageTree, type RegistryAccess, registryAccess } from '../subsystems/registry.ts';
import { WireTap } from '../subsystems/wire-tap.ts';
import type { ProtocolQuestion } from '../workers/jobs.ts';
import { WorkerPool } from '../workers/pool.ts';
import { type AuditTrail, auditTrail } from './audit-trail.ts';
import { type RegistryFaults, registryFaults } from './registry-faults.ts';
import { registryOutlook } from './registry-outlook.ts';
import { DEMO_SETTINGS, mergeSettings, WORK_BUDGET, WORKERS } from './settings.ts';
import { standardLibrary } from './standard-library.ts';
import { RegistryTuning } from './tuning.ts';

export type Hardening = ParserCraftHardening<
  ProgramSource,
  GeneratedCode,
  InferredTypes,
  ProtocolQuestion,
  ProtocolAnswer,
  PackageTree,
  LspQuestion,
  unknown
>;

export interface ServiceOptions {
  /** Folder of the registry and the audit log. @defaultValue a temporary folder, removed on stop */
  readonly dataDir?: string | undefined;
  /** Whether the audit log is stored on disk. */
  readonly durableAudit: boolean;
  readonly whenAuditUnavailable?: 'refuse' | 'degrade';
  /** Overrides on top of {@link DEMO_SETTINGS}. */
  readonly settings?: HardeningOverrides;
  readonly log: (line: string) => void;
  /** Aborts the startup. */
  readonly signal?: AbortSignal;
}

/** A ParserCraft service without its HTTP server. */
export interface Service extends AsyncDisposable {
  readonly hardening: Hardening;
  readonly overrides: HardeningOverrides;
  readonly registry: RegistryProcess;
  readonly registryAccess: RegistryAccess;
  readonly registryFaults: RegistryFaults;
  readonly tap: WireTap;
  /** What the fetches of packages say about their settings. */
  readonly tuning: RegistryTuning;
  readonly lsp: LspAccess;
  /** The processes that parse, check, compile and run programs. */
  readonly workers: WorkerPool;
  readonly audit: AuditTrail;
  readonly monitor: HealthMonitor;
  /** The early warning of failures of the registry. */
  readonly outlook: FailurePredictor;
  /** Stops policies, child processes and audit log, and removes a temporary folder. Idempotent. */
  stop(): Promise<void>;
}

/** The demo shows complete traces, of calls in which nothing went wrong too. */
const SPANS: SpanMode = 'all';
/** Interval of background health checks, in milliseconds. */
const HEALTH_REFRESH_MS = 5_000;
/** Time that the registry gets to exit, in milliseconds. Acknowledged writes are already durable. */
const REGISTRY_STOP_MS = 2_000;

/** Time that the language server gets to start, in milliseconds: on a busy machine everything starts at once. */
const LSP_START_MS = 60_000;

/** Starts the child processes and wraps them in policies; resolves when the service is ready. */
export async function startService(options: ServiceOptions): Promise<Service> {
  const { log } = options;
  const own = options.dataDir === undefined;
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'parsercraft-'));
  const undo: (() => unknown)[] = [];
  let stopping: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopping ??= (async () => {
      for (const step of undo.reverse()) await step();
    })();
    return stopping;
  };
  if (own) undo.push(() => rmSync(dataDir, { recursive: true, force: true }));
  try {
    const workers = new WorkerPool({ size: WORKERS, budget: WORK_BUDGET, log });
    undo.push(() => workers.close());
    const working = workers.start();
    // It is awaited below, after the registry.
    working.catch(() => undefined);
    const registry = await startRegistry({
      dataDir: join(dataDir, 'registry'),
      faults: true,
      stopTimeoutMs: REGISTRY_STOP_MS,
      onLog: (line) => {
        if (line.includes('"level":"error"')) log(`registry: ${safeText(line)}`);
      },
    });
    undo.push(() => registry.stop());
    options.signal?.throwIfAborted();
    const tap = new WireTap();
    const access = registryAccess(registry.url, tap);
    const lsp = lspAccess({
      initialization: { packages: await standardLibrary(access, registry.url, log) },
      workers,
      onExit: (reason) => log(`language server: ${reason} Restarting.`),
    });
    undo.push(() => lsp[Symbol.asyncDispose]());
    await lsp.process.start({ timeoutMs: LSP_START_MS });
    await working;
    options.signal?.throwIfAborted();

    const audit = auditTrail({
      dataDir: options.durableAudit ? join(dataDir, 'audit') : undefined,
      whenUnavailable: options.whenAuditUnavailable ?? 'degrade',
    });
    undo.push(() => audit.log.close().catch((error: unknown) => log(`audit: ${messageOf(error)}`)));
    await audit.log.ready();
    // #region health
    const monitor = healthMonitor({
      name: 'parsercraft',
      started: false,
      refreshMs: HEALTH_REFRESH_MS,
    });
    monitor.register(eventLoopDelayCheck());
    monitor.register(heapCheck());
    monitor.register(auditLogCheck(audit.log, { name: 'audit', critical: false }));
    // #endregion
    const overrides = mergeSettings(DEMO_SETTINGS, options.settings ?? {});
    const tuning = new RegistryTuning();
    undo.push(() => tuning[Symbol.dispose]());
    const guarded = parserCraftHardening(
      {
        ast: astSubsystem(workers),
        protocols: protocolSubsystem(workers, systemClock, WORK_BUDGET.timeMs),
        registry: tuning.subsystem(access.subsystem),
        lsp: lsp.subsystem,
      },
      { settings: overrides, audit: audit.log, health: monitor, spans: SPANS },
    );
    const hardening = tuning.observe(guarded);
    undo.push(() => hardening.shutdown());
    const outlook = registryOutlook(hardening, tap, monitor);
    undo.push(() => outlook[Symbol.dispose]());
    monitor.setStarted();
    // Without background checks the health metrics stay empty.
    monitor.start();
    undo.push(() => monitor.stop());
    return {
      hardening,
      overrides,
      registry,
      registryAccess: access,
      registryFaults: registryFaults(registry),
      tap,
      tuning,
      lsp,
      workers,
      audit,
      monitor,
      outlook,
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
