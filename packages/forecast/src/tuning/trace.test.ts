import { ManualClock } from '@temper/testkit';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { autotune, type RecordedCall, readTraces, recordTrace } from './index.ts';

const SETTINGS = { maxAttempts: 3 };

function setUp() {
  const lines: string[] = [];
  const tuner = autotune({
    name: 'registry',
    settings: SETTINGS,
    bounds: {},
    clock: new ManualClock(),
  });
  const recording = recordTrace(tuner, (line) => void lines.push(line));
  return { lines, tuner, recording };
}

const ms = fc.integer({ min: 0, max: 10_000_000 }).map((n) => n / 1000);
const tries = fc.array(
  fc.record({
    attempt: fc.integer({ min: 1, max: 5 }),
    hedge: fc.integer({ min: 1, max: 3 }),
    atMs: ms,
    tookMs: ms,
    result: fc.constantFrom(
      'answered' as const,
      'failed' as const,
      'fatal' as const,
      'timeout' as const,
      'lost' as const,
    ),
  }),
  { maxLength: 5 },
);
const call: fc.Arbitrary<RecordedCall> = fc.record({
  at: fc.integer({ min: 0, max: 2e12 }),
  tookMs: ms,
  ok: fc.boolean(),
  refused: fc.boolean(),
  tries,
});

describe('a trace', () => {
  it('is read as it was recorded', () => {
    fc.assert(
      fc.property(fc.array(call, { minLength: 1, maxLength: 20 }), (calls) => {
        const { lines, tuner } = setUp();
        for (const one of calls) tuner.record(one);
        expect(readTraces(lines)).toEqual([{ name: 'registry', settings: SETTINGS, calls }]);
        expect(readTraces(`${lines.join('\n')}\n`)).toEqual(readTraces(lines));
      }),
    );
  });

  it('begins anew when the settings change, and ends when it is disposed of', () => {
    const { lines, tuner, recording } = setUp();
    const one = { at: 1, tookMs: 1, ok: true, refused: false, tries: [] };
    tuner.record(one);
    tuner.update({ maxAttempts: 2 });
    tuner.record(one);
    recording[Symbol.dispose]();
    tuner.record(one);
    expect(readTraces(lines).map(({ settings, calls }) => [settings, calls.length])).toEqual([
      [{ maxAttempts: 3 }, 1],
      [{ maxAttempts: 2 }, 1],
    ]);
  });

  it('has the form that the documentation shows', () => {
    const text = `{"format":"temper-trace","version":1,"name":"registry","settings":{"maxAttempts":3}}
{"at":1700000000000,"ms":152.4,"ok":true,"tries":[[1,1,0,20.1,"failed"],[2,1,121.3,31.1,"answered"]]}`;
    const { lines, tuner } = setUp();
    for (const one of readTraces(text)[0]?.calls ?? []) tuner.record(one);
    expect(lines.join('\n')).toBe(text);
  });

  it.each([
    ['nothing', 'line 1: is no JSON'],
    ['[]', 'line 1: must be an object'],
    ['{"at":1,"ms":1,"ok":true,"tries":[]}', 'line 1: a call comes before any settings'],
    [
      '{"format":"temper-trace","version":2,"name":"a","settings":{}}',
      'must begin a trace of version 1',
    ],
    [
      '{"format":"temper-trace","version":1,"name":"a","settings":{"attempts":1}}',
      "unknown option 'attempts'",
    ],
    [
      '{"format":"temper-trace","version":1,"name":"a","settings":{}}\n\n{"at":1,"ms":-1,"ok":true,"tries":[]}',
      'line 3: tookMs',
    ],
    [
      '{"format":"temper-trace","version":1,"name":"a","settings":{}}\n{"at":1,"ms":1,"ok":true,"tries":[1]}',
      'line 2: tries',
    ],
  ])('refuses %s', (text, message) => {
    expect(() => readTraces(text)).toThrow(message);
  });

  it('refuses a writer that is no function', () => {
    expect(() => recordTrace(setUp().tuner, 'file' as never)).toThrow(TypeError);
  });
});
