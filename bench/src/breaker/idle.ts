import { circuitBreaker } from '@temper/breaker';
import { activeTimers, bytesEach } from '../memory.ts';
import type { Measure } from '../types.ts';

const COUNT = 10_000;
const group = 'ten thousand idle breakers';

export const idleBreakers: readonly Measure[] = [
  {
    group,
    name: 'failures in a row',
    unit: 'bytes each',
    aim: 1024,
    measure: () => bytesEach(COUNT, (index) => circuitBreaker({ name: `idle-${index}` })),
  },
  {
    group,
    name: 'window of time, slow calls',
    unit: 'bytes each',
    aim: 1024,
    measure: () =>
      bytesEach(COUNT, (index) =>
        circuitBreaker({
          name: `timed-${index}`,
          window: { durationMs: 60_000 },
          slowCallDurationMs: 1000,
        }),
      ),
  },
  { group, name: 'timers', unit: 'timers', aim: 0, measure: activeTimers },
];
