import { retry } from '@temper/retry';
import { activeTimers, bytesEach } from '../memory.ts';
import type { Measure } from '../types.ts';

const COUNT = 10_000;
const group = 'ten thousand idle retry policies';

export const idleRetries: readonly Measure[] = [
  {
    group,
    name: 'of one name',
    unit: 'bytes each',
    aim: 1024,
    measure: () => bytesEach(COUNT, () => retry({ name: 'idle' })),
  },
  {
    group,
    name: 'of a name each, their series included',
    unit: 'bytes each',
    measure: () => bytesEach(COUNT, (index) => retry({ name: `idle-${index}` })),
  },
  { group, name: 'timers', unit: 'timers', aim: 0, measure: activeTimers },
];
