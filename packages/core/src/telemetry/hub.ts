import type { MeterProvider, TracerProvider } from '@opentelemetry/api';
import { systemClock } from '../clock.ts';
import { watchProviders } from './globals.ts';
import { type InstrumentationScope, Scope, type ScopeOptions } from './scope.ts';

interface MutableLive {
  metrics: boolean;
  traces: boolean;
}

/** The one of its kind in a process, whichever installed copy of core came first. */
interface Hub {
  scope(options: ScopeOptions): InstrumentationScope;
  /** Makes every histogram keep buckets of its own, for a producer to read. */
  keepBuckets(): void;
  readonly scopes: ReadonlyMap<string, Scope>;
  /** Wall-clock time, in milliseconds, since which buckets have been kept. */
  readonly startedAt: number;
}

/** The number is that of the protocol between copies of core; it changes when {@link Hub} does. */
const HUB_KEY = Symbol.for('temper.telemetry.2');

class ProcessHub implements Hub {
  readonly scopes = new Map<string, Scope>();
  readonly startedAt: number = systemClock.now();
  readonly #live: MutableLive = { metrics: false, traces: false };
  #provider: MeterProvider | undefined;
  #ownBuckets = false;

  constructor() {
    watchProviders({
      metrics: (provider) => {
        this.#provider = provider as MeterProvider | undefined;
        this.#live.metrics = provider !== undefined;
        for (const scope of this.scopes.values()) this.#bind(scope);
      },
      trace: (provider) => {
        this.#live.traces = provider !== undefined;
        if (provider === undefined) return;
        for (const scope of this.scopes.values()) scope.trace(provider as TracerProvider);
      },
    });
  }

  scope(options: ScopeOptions): InstrumentationScope {
    let scope = this.scopes.get(options.name);
    if (scope === undefined) {
      scope = new Scope(options, this.#live);
      this.scopes.set(options.name, scope);
      this.#bind(scope);
    } else if (scope.define(options.metrics)) {
      this.#bind(scope);
    }
    return scope;
  }

  keepBuckets(): void {
    this.#ownBuckets = true;
    for (const scope of this.scopes.values()) this.#bind(scope);
  }

  #bind(scope: Scope): void {
    scope.bind(this.#provider, this.#ownBuckets);
  }
}

const processGlobals = globalThis as unknown as Record<symbol, Hub | undefined>;

/** The hub of this process. */
export function hub(): Hub {
  processGlobals[HUB_KEY] ??= new ProcessHub();
  return processGlobals[HUB_KEY];
}

/**
 * The telemetry of one package. Counting works from the first call on, whether a provider is
 * registered before, after or never; what was counted before is exported once one appears.
 * Asking again for the same name, even from another installed copy, returns the same scope.
 */
export function instrumentationScope(options: ScopeOptions): InstrumentationScope {
  return hub().scope(options);
}
