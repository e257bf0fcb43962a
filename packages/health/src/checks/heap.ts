import { getHeapStatistics } from 'node:v8';
import type { HealthCheck } from '../check-options.ts';
import { judge } from '../status.ts';
import { type BuiltInCheckOptions, builtIn, checkLimits } from './built-in.ts';
import { mebibytes } from './bytes.ts';

/** Options of {@link heapCheck}. */
export interface HeapCheckOptions extends BuiltInCheckOptions {
  /**
   * Share of V8's heap limit from which on the service is degraded.
   *
   * @defaultValue 0.85
   * @throws {RangeError} at construction, unless >= 0
   */
  readonly degraded?: number;
  /**
   * Share from which on it is unhealthy.
   *
   * @defaultValue 0.95
   * @throws {RangeError} at construction, unless >= `degraded`
   */
  readonly unhealthy?: number;
}

const OWNER = 'heapCheck';

/**
 * V8's heap against the limit at which V8 gives up (`--max-old-space-size`, or what Node took from the
 * machine). Garbage counts until it is collected, so give it some probes of patience with `flapping`.
 *
 * @throws {TypeError | RangeError} when an option is unknown or out of range
 */
export function heapCheck(options: HeapCheckOptions = {}): HealthCheck {
  const { degraded, unhealthy } = checkLimits(
    OWNER,
    { degraded: 'degraded', unhealthy: 'unhealthy' },
    { degraded: options.degraded ?? 0.85, unhealthy: options.unhealthy ?? 0.95 },
  );
  return builtIn(OWNER, options, ['degraded', 'unhealthy'], {
    name: 'heap',
    componentType: 'system',
    check: () => {
      const { used_heap_size: used, heap_size_limit: limit } = getHeapStatistics();
      const ratio = used / limit;
      return {
        status: judge(ratio, degraded, unhealthy),
        message: `the heap holds ${mebibytes(used)} of ${mebibytes(limit)}`,
        observed: { name: 'utilization', value: ratio, unit: '1' },
        details: { usedBytes: used, limitBytes: limit },
      };
    },
  });
}
