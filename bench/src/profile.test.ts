import { describe, expect, it } from 'vitest';
import { heaviest, profile } from './profile.ts';

const node = (id: number, functionName: string, url = '') => ({
  id,
  callFrame: { functionName, url },
});

describe('a profile', () => {
  it('sums the time of a function wherever it was called, without idle time and the profiler', () => {
    const shares = heaviest(
      {
        nodes: [
          node(1, '(idle)'),
          node(2, 'execute', 'file:///x/dist/call.js'),
          node(3, 'execute', 'file:///x/dist/call.js'),
          node(4, '(garbage collector)'),
          node(5, '', 'file:///x/run.js'),
          node(6, 'post', 'node:inspector'),
        ],
        samples: [1, 2, 3, 4, 5, 6],
        timeDeltas: [900, 30, 30, 20, 20, 500],
      },
      2,
    );
    expect(shares).toEqual([
      { where: 'execute, call.js', share: 0.6 },
      { where: '(garbage collector)', share: 0.2 },
    ]);
  });

  it('names the function that does the work', async () => {
    function busyFunction(): number {
      let sum = 0;
      for (let i = 0; i < 3e7; i++) sum += Math.sqrt(i);
      return sum;
    }
    const [first] = await profile(() => busyFunction() + busyFunction());
    expect(first?.where).toContain('busyFunction');
  });
});
