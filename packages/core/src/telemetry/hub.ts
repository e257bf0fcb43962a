import { systemClock } from '../clock.ts';
import { MajorNotice } from './api-majors.ts';
import { watchProviders } from './globals.ts';
import type { ApiGlobal } from './process-api.ts';
import type { Producers } from './producers.ts';
import { type InstrumentationScope, type Registered, Scope, type ScopeOptions } from './scope.ts';

/**
 * What is registered now. Read from the API's own object: nothing tells when a provider is removed, and
 * a read of a property is all that a call pays.
 */
class RegisteredSignals implements Registered {
  api: ApiGlobal | undefined;

  get metrics(): boolean {
    return this.api?.metrics !== undefined;
  }

  get traces(): boolean {
    return this.api?.trace !== undefined;
  }
}

type CreateProducers = (rebind: () => void, current: () => object | undefined) => Producers;

/** The one of its kind in a process, whichever installed copy of core came first. */
interface Hub {
  scope(options: ScopeOptions): InstrumentationScope;
  /**
   * The metric producers of this process. Their code comes with the first producer, so that a policy
   * is smaller without.
   *
   * @param create - from what gives the scopes other instruments, and the registered provider
   */
  producers(create: CreateProducers): Producers;
  readonly scopes: ReadonlyMap<string, Scope>;
  /** Wall-clock time, in milliseconds, since which this process has counted. */
  readonly startedAt: number;
}

/** The number is that of the protocol between copies of core; it changes when {@link Hub} does. */
const HUB_KEY = Symbol.for('temper.telemetry.5');

class ProcessHub implements Hub {
  readonly scopes = new Map<string, Scope>();
  readonly startedAt: number = systemClock.now();
  readonly #live = new RegisteredSignals();
  #producers: Producers | undefined;

  constructor() {
    const notice = new MajorNotice();
    watchProviders(
      {
        metrics: () => this.#bindAll(),
        diag: () => notice.deliver(),
      },
      (api) => {
        this.#live.api = api;
      },
    );
    notice.watchOtherMajors();
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

  producers(create: CreateProducers): Producers {
    this.#producers ??= create(
      () => this.#bindAll(),
      () => this.#live.api?.metrics as object | undefined,
    );
    return this.#producers;
  }

  #bindAll(): void {
    for (const scope of this.scopes.values()) this.#bind(scope);
  }

  #bind(scope: Scope): void {
    scope.bind(this.#producers);
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
