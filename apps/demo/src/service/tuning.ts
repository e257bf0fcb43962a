import {
  type Autotuner,
  autotune,
  type TuningBounds,
  type TuningReview,
} from '@temper/forecast/tuning';
import type { ParserCraftHardening, RegistrySubsystem } from '@temper/parsercraft-handlers';
import type { PackageTree } from '../subsystems/registry.ts';

/** How often proposals are looked at, in milliseconds: short, so that a visitor sees them grow. */
const STEP_MS = 1_000;

/** A hardened ParserCraft, as far as fetches of packages need it. */
type Hardened = Pick<
  ParserCraftHardening<unknown, unknown, unknown, unknown, unknown, PackageTree>,
  'registry' | 'settings' | 'policies'
>;

/**
 * Observes the fetches of packages, and proposes settings for them. It changes nothing: the
 * operator of the service decides.
 */
export class RegistryTuning implements Disposable {
  #tuner: Autotuner | undefined;

  /** The registry, with each try at it observed. */
  subsystem(inner: RegistrySubsystem<PackageTree>): RegistrySubsystem<PackageTree> {
    return {
      ...inner,
      fetchPackage: (name, range, context) =>
        this.#tuner === undefined
          ? inner.fetchPackage(name, range, context)
          : this.#tuner.tries.execute((call) => inner.fetchPackage(name, range, call), {
              parent: context,
            }),
    };
  }

  /** The hardened service, with each fetch of a package observed. */
  observe<H extends Hardened>(hardening: H): H {
    const { maxAttempts, retryDelayMs, attemptTimeoutMs } = hardening.settings.plans.fetch_package;
    const { openDurationMs } = hardening.settings.breakers.registry_fetch;
    const settings = {
      maxAttempts,
      initialDelayMs: retryDelayMs,
      attemptTimeoutMs,
      openDurationMs,
    };
    const tuner = autotune({
      name: 'fetch_package',
      settings,
      bounds: around(settings),
      stepMs: STEP_MS,
    });
    hardening.policies.breakers.registry_fetch.onStateChange(tuner.stateChanged);
    this.#tuner = tuner;
    const { fetchPackage } = hardening.registry;
    return {
      ...hardening,
      registry: {
        fetchPackage: (name, range, own) =>
          tuner.calls.execute((call) => fetchPackage(name, range, { ...own, parent: call }), {
            signal: own?.signal,
            parent: own?.parent,
          }),
      },
    };
  }

  /** @throws {Error} before {@link observe} */
  review(): TuningReview {
    if (this.#tuner === undefined) throw new Error('The registry is not observed yet.');
    return this.#tuner.review();
  }

  [Symbol.dispose](): void {
    this.#tuner?.[Symbol.dispose]();
  }
}

/** A third of each value to three times as much, and one to five attempts. */
function around(
  settings: Required<
    Record<'maxAttempts' | 'initialDelayMs' | 'attemptTimeoutMs' | 'openDurationMs', number>
  >,
): TuningBounds {
  const times = (value: number): readonly [number, number] => [value / 3, value * 3];
  return {
    maxAttempts: [1, Math.max(5, settings.maxAttempts)],
    initialDelayMs: times(settings.initialDelayMs),
    attemptTimeoutMs: times(settings.attemptTimeoutMs),
    openDurationMs: times(settings.openDurationMs),
  };
}
