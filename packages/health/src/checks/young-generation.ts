import { getHeapStatistics } from 'node:v8';
import { isMainThread, resourceLimits, Worker } from 'node:worker_threads';

const MIB = 2 ** 20;
/** V8 reserves both halves of the semi-space and as much again for large objects. */
const SEMI_SPACES = 3;

let found: Promise<number> | undefined;

/**
 * The part of V8's heap limit that is the young generation's, in bytes. V8 does not tell it for the main
 * thread. It depends on the version of V8, the memory of the machine and a flag; a worker that is given
 * no limits of its own has the same one, and tells it.
 */
export function youngGenerationBytes(): Promise<number> {
  found ??= find();
  return found;
}

async function find(): Promise<number> {
  if (!isMainThread && resourceLimits.maxYoungGenerationSizeMb !== undefined) {
    return resourceLimits.maxYoungGenerationSizeMb * MIB;
  }
  const semiSpace = flaggedSemiSpace(process.execArgv, process.env.NODE_OPTIONS);
  if (semiSpace !== undefined) return semiSpace * SEMI_SPACES * MIB;
  const mebibytes = await limitOfWorker();
  // Where no worker may be started: a lower limit of the old generation only alarms earlier.
  const largest = Math.min(3 * 64 * MIB, getHeapStatistics().heap_size_limit / 2);
  return mebibytes === undefined ? largest : mebibytes * MIB;
}

/**
 * Mebibytes that `--max-semi-space-size` sets, the last one winning, as V8 rounds them: to a power of
 * two. Undefined without the flag. The command line takes precedence over `NODE_OPTIONS`.
 *
 * @internal Exported for its test.
 */
export function flaggedSemiSpace(
  execArgv: readonly string[],
  nodeOptions = '',
): number | undefined {
  const text = ` ${nodeOptions} ${execArgv.join(' ')} `;
  const flags = [...text.matchAll(/\s--max[-_]semi[-_]space[-_]size(?:=|\s+)["']?(\d+)/g)];
  const mebibytes = Number(flags.at(-1)?.[1] ?? 0);
  return mebibytes === 0 ? undefined : 2 ** Math.ceil(Math.log2(mebibytes));
}

function limitOfWorker(): Promise<number | undefined> {
  return new Promise((resolve) => {
    try {
      const worker = new Worker('', { eval: true, execArgv: [], stdout: true, stderr: true });
      worker.on('online', () => resolve(worker.resourceLimits?.maxYoungGenerationSizeMb));
      worker.on('error', () => resolve(undefined));
      worker.on('exit', () => resolve(undefined));
    } catch {
      resolve(undefined); // the permission model forbids it
    }
  });
}
