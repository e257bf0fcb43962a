import { show } from '@temper/core/policy';
import type { Autotuner } from './contract.ts';
import { checkCall, type RecordedCall, type TryResult } from './recorded-call.ts';
import { checkSettings, type TuningSettings } from './settings.ts';

const FORMAT = 'temper-trace';
const VERSION = 1;

/** Calls that were made with the same settings in force. */
export interface Trace {
  readonly name: string;
  readonly settings: TuningSettings;
  readonly calls: readonly RecordedCall[];
}

/**
 * Writes the calls of a tuner as JSON Lines: a line with the settings in force, again when they change, and
 * one for each call. Disposing of the result ends it. What `write` throws is logged.
 *
 * ```json
 * {"format":"temper-trace","version":1,"name":"registry","settings":{"maxAttempts":3}}
 * {"at":1700000000000,"ms":152.4,"ok":true,"tries":[[1,1,0,20.1,"failed"],[2,1,121.3,31.1,"answered"]]}
 * ```
 *
 * A try is its attempt, its hedge, when it began, how long it took, and how it ended; a call that a policy
 * refused has `"refused":true`. Nothing of what was asked or answered is in it.
 *
 * @throws {TypeError} when `write` is no function
 */
export function recordTrace(
  tuner: Pick<Autotuner, 'name' | 'settings' | 'onCall'>,
  write: (line: string) => unknown,
): Disposable {
  if (typeof write !== 'function') {
    throw new TypeError(`recordTrace: write must be a function, got ${show(write)}.`);
  }
  let settings: TuningSettings | undefined;
  return tuner.onCall((call) => {
    if (settings !== tuner.settings) {
      settings = tuner.settings;
      const header = { format: FORMAT, version: VERSION, name: tuner.name, settings };
      write(JSON.stringify(header));
    }
    return write(lineOf(call));
  });
}

function lineOf({ at, tookMs, ok, refused, tries }: RecordedCall): string {
  return JSON.stringify({
    at: Math.round(at),
    ms: short(tookMs),
    ok,
    ...(refused ? { refused } : {}),
    tries: tries.map((one) => [
      one.attempt,
      one.hedge,
      short(one.atMs),
      short(one.tookMs),
      one.result,
    ]),
  });
}

/** To a microsecond. */
const short = (ms: number): number => Math.round(ms * 1000) / 1000;

/**
 * Reads what {@link recordTrace} has written: one trace for each line with settings that has calls. Empty
 * lines are skipped.
 *
 * @param lines - the text of a file, or its lines
 * @throws {TypeError | RangeError} naming the number of the first line that is not one of a trace
 */
export function readTraces(lines: string | Iterable<string>): readonly Trace[] {
  const traces: (Trace & { readonly calls: RecordedCall[] })[] = [];
  let number = 0;
  for (const line of typeof lines === 'string' ? lines.split('\n') : lines) {
    number++;
    if (line.trim() === '') continue;
    const owner = `readTraces: line ${number}`;
    const value = parse(owner, line);
    if ('format' in value) {
      const { format, version, name, settings } = value;
      if (format !== FORMAT || version !== VERSION || typeof name !== 'string') {
        throw new TypeError(
          `${owner}: must begin a trace of version ${VERSION}, got ${show(line)}.`,
        );
      }
      traces.push({
        name,
        settings: checkSettings(owner, settings as TuningSettings, {}),
        calls: [],
      });
    } else {
      const trace = traces.at(-1);
      if (trace === undefined) throw new TypeError(`${owner}: a call comes before any settings.`);
      trace.calls.push(callOf(owner, value));
    }
  }
  return traces.filter(({ calls }) => calls.length > 0);
}

function parse(owner: string, line: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new TypeError(`${owner}: is no JSON.`, { cause });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new TypeError(`${owner}: must be an object, got ${show(value)}.`);
  }
  return value as Readonly<Record<string, unknown>>;
}

function callOf(owner: string, value: Readonly<Record<string, unknown>>): RecordedCall {
  const { at, ms, ok, refused = false, tries } = value;
  if (!Array.isArray(tries) || !tries.every(Array.isArray)) {
    throw new TypeError(`${owner}: tries must be an array of arrays, got ${show(tries)}.`);
  }
  return checkCall(owner, {
    at: at as number,
    tookMs: ms as number,
    ok: ok as boolean,
    refused: refused as boolean,
    tries: tries.map(([attempt, hedge, atMs, tookMs, result]) => ({
      attempt: attempt as number,
      hedge: hedge as number,
      atMs: atMs as number,
      tookMs: tookMs as number,
      result: result as TryResult,
    })),
  });
}
