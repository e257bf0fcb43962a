import { methodsRule, type OptionRule } from '../options.ts';
import type { Attributes } from './definitions.ts';
import type { InstrumentationScope, ScopeOptions } from './scope.ts';

/** Where the telemetry of the policies that are given it goes, and what their metrics have besides. */
export interface TelemetryScope {
  /** Attributes of all metrics besides Temper's own. */
  readonly metricAttributes: Attributes | undefined;
  /** @internal The telemetry of a package within this scope. */
  scope(options: ScopeOptions): InstrumentationScope;
}

/** Holds the option `telemetry` of a policy to what `telemetryScope` returns. */
export const telemetryRule: OptionRule = /* @__PURE__ */ methodsRule('scope');
