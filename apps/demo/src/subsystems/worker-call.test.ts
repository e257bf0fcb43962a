import { Call } from '@temper/core/policy';
import { ManualClock } from '@temper/testkit';
import { describe, expect, it } from 'vitest';
import type { WorkerProcess } from '../workers/worker-process.ts';
import { workerCall } from './worker-call.ts';

const { signal } = new AbortController();
const worker = {} as WorkerProcess;

/** Takes a turn for a call with so much time left; resolves with whether it got one. */
async function takes(leftMs: number | undefined): Promise<boolean | string> {
  const clock = new ManualClock();
  const deadline = leftMs === undefined ? undefined : clock.monotonic() + leftMs;
  const { awaitTurn } = workerCall(new Call(1, deadline, undefined, signal), clock);
  let taken = false;
  const turn = async (): Promise<WorkerProcess> => {
    taken = true;
    return worker;
  };
  try {
    await awaitTurn?.(turn);
    return taken;
  } catch (error) {
    return taken ? 'failed with a worker' : (error as { code: string }).code;
  }
}

describe('a job of a call', () => {
  it('begins when the call has a second left, or no deadline', async () => {
    expect(await takes(undefined)).toBe(true);
    expect(await takes(5_000)).toBe(true);
    expect(await takes(1_000)).toBe(true);
  });

  it('is refused without a worker when it would end with its call', async () => {
    expect(await takes(999)).toBe('RATE_LIMIT_EXCEEDED');
    expect(await takes(-1)).toBe('RATE_LIMIT_EXCEEDED');
  });
});
