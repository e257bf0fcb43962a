import { Session } from 'node:inspector/promises';
import { basename } from 'node:path';

/** A function's share of the sampled time, itself alone, from 0 to 1. */
export interface Share {
  readonly where: string;
  readonly share: number;
}

/** How often the profiler looks, in microseconds. */
const INTERVAL_US = 100;

/**
 * Where the time of `work` goes: the functions on top of the stack, by V8's sampling profiler, the
 * heaviest first. Sampling slows the work, so nothing may be timed while this runs.
 *
 * @param most - number of functions
 */
export async function profile(work: () => unknown, most = 8): Promise<Share[]> {
  const session = new Session();
  session.connect();
  try {
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US });
    await session.post('Profiler.start');
    await work();
    const { profile } = await session.post('Profiler.stop');
    return heaviest(profile, most);
  } finally {
    session.disconnect();
  }
}

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
  }[];
  readonly samples?: readonly number[] | undefined;
  readonly timeDeltas?: readonly number[] | undefined;
}

/** @internal Exported for its test. */
export function heaviest({ nodes, samples = [], timeDeltas = [] }: Profile, most: number): Share[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const spent = new Map<string, number>();
  let total = 0;
  samples.forEach((id, index) => {
    const name = names.get(id);
    // Waiting, and the profiler's own start.
    if (name === undefined || name === '(idle)' || name.endsWith('node:inspector')) return;
    const us = timeDeltas[index] ?? 0;
    total += us;
    spent.set(name, (spent.get(name) ?? 0) + us);
  });
  return [...spent]
    .sort(([, a], [, b]) => b - a)
    .slice(0, most)
    .map(([where, us]) => ({ where, share: us / total }));
}

function nameOf({ functionName, url }: Profile['nodes'][number]['callFrame']): string {
  const name = functionName || '(anonymous)';
  return url === '' || name.startsWith('(') ? name : `${name}, ${basename(url)}`;
}
