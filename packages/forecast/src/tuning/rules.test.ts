import { describe, expect, it } from 'vitest';
import { Episodes } from './episodes.ts';
import { Evidence } from './evidence.ts';
import type { RecordedTry, TryResult } from './recorded-call.ts';
import { findProposals } from './rules/rules.ts';
import { TUNING_SETTINGS, type TuningSetting } from './setting-names.ts';
import type { TuningSettings } from './settings.ts';

/** A try of an attempt: how it ended, after how long, and when it began. */
type Short = readonly [result: TryResult, tookMs: number, atMs?: number, hedge?: number];

/** Evidence of so many calls of each kind, each with one try per attempt unless it says otherwise. */
function seen(...kinds: readonly (readonly [calls: number, ...tries: Short[]])[]): Evidence {
  const evidence = new Evidence();
  for (const [calls, ...shorts] of kinds) {
    let attempt = 0;
    let at = 0;
    const tries = shorts.map(([result, tookMs, atMs, hedge = 1]): RecordedTry => {
      if (hedge === 1) attempt++;
      const one = { attempt, hedge, atMs: atMs ?? at, tookMs, result };
      at = one.atMs + tookMs;
      return one;
    });
    const ok = tries.some(({ result }) => result === 'answered');
    for (let i = 0; i < calls; i++) evidence.add({ at: 0, tookMs: at, ok, refused: false, tries });
  }
  return evidence;
}

const WIDE = {
  maxAttempts: [1, 10],
  initialDelayMs: [1, 100_000],
  attemptTimeoutMs: [1, 100_000],
  hedgeDelayMs: [1, 100_000],
  failureRateThreshold: [0.01, 1],
  minimumThroughput: [1, 1000],
  openDurationMs: [1, 1_000_000],
} as const;

function ask(
  setting: TuningSetting,
  value: number,
  evidence: Evidence,
  more: TuningSettings = {},
  episodes = new Episodes(),
) {
  const settings = { ...more, [setting]: value };
  const input = { evidence, episodes, settings, minBenefit: 0.1, maxExtraLoad: 0.1 };
  const { proposals, waiting } = findProposals(input, { [setting]: WIDE[setting] });
  return proposals[0] ?? waiting[0];
}

it('every rule says how much is missing before it says anything', () => {
  for (const setting of TUNING_SETTINGS) {
    const value = setting === 'failureRateThreshold' ? 0.5 : 3;
    expect(ask(setting, value, new Evidence()), setting).toMatchObject({ setting, samples: 0 });
    expect((ask(setting, value, new Evidence()) as { needed: number }).needed).toBeGreaterThan(0);
  }
});

describe('the attempt timeout', () => {
  const answers = [5990, ['answered', 100]] as const;
  it('falls to the 99.9th percentile of the answers times 1.5, in steps', () => {
    const evidence = seen(answers, [10, ['answered', 200]]);
    expect(ask('attemptTimeoutMs', 5000, evidence)).toMatchObject({
      from: 5000,
      to: 2500,
      reason: expect.stringContaining('99.9 %'),
    });
    const { target } = ask('attemptTimeoutMs', 400, evidence) as { target: number };
    expect(target).toBeGreaterThanOrEqual(300);
    expect(target).toBeLessThanOrEqual(300 * 1.06);
  });

  it('rises when tries are cut off and answers come shortly before', () => {
    const evidence = seen(answers, [60, ['answered', 900]], [60, ['timeout', 1000]]);
    expect(ask('attemptTimeoutMs', 1000, evidence)).toMatchObject({
      to: 1500,
      evidence: { timeouts: 60, answeredLate: 60 },
    });
  });

  it('does not rise for tries that never answer', () => {
    const evidence = seen(answers, [60, ['timeout', 1000]]);
    expect(ask('attemptTimeoutMs', 1000, evidence)).toMatchObject({ to: 500 });
  });

  it('stays when hedges have outrun all that was slow: nobody knows how slow it was', () => {
    expect(
      ask('attemptTimeoutMs', 5000, seen(answers, [60, ['lost', 150], ['answered', 50, 100, 2]])),
    ).toBeUndefined();
  });
});

describe('the number of attempts', () => {
  const answered = [10_000, ['answered', 10]] as const;
  const [no, yes] = [
    ['failed', 10],
    ['answered', 10],
  ] as const;
  it('falls when the last one surely rescues too few', () => {
    expect(ask('maxAttempts', 3, seen(answered, [300, no, no, no]))).toMatchObject({
      from: 3,
      to: 2,
      evidence: { attempts: 300, answered: 0 },
    });
    expect(
      ask('maxAttempts', 3, seen(answered, [400, no, no, no], [40, no, no, yes])),
    ).toBeUndefined();
  });

  it('rises when the last one rescues many, and calls still fail', () => {
    const evidence = seen(answered, [150, no, no, no], [150, no, no, yes]);
    expect(ask('maxAttempts', 3, evidence)).toMatchObject({ from: 3, to: 4 });
  });

  it('does not rise beyond the load that is allowed', () => {
    expect(
      ask('maxAttempts', 3, seen([3000, yes], [150, no, no, no], [150, no, no, yes])),
    ).toBeUndefined();
  });

  it('does not rise from one: what a second would bring cannot be seen', () => {
    expect(ask('maxAttempts', 1, seen(answered, [300, no]))).toBeUndefined();
  });

  it('does not rise for what is not tried again', () => {
    expect(
      ask('maxAttempts', 3, seen(answered, [150, no, no, ['fatal', 10]], [150, no, no, yes])),
    ).toBeUndefined();
  });
});

describe('the delay of a hedge', () => {
  it('goes to the 95th percentile of first tries, those that were outrun included', () => {
    const evidence = seen(
      [930, ['answered', 50]],
      [40, ['answered', 90]],
      [30, ['lost', 150], ['answered', 50, 100, 2]],
    );
    const { target } = ask('hedgeDelayMs', 2000, evidence) as { target: number };
    expect(target).toBeGreaterThanOrEqual(90);
    expect(target).toBeLessThan(95);
  });

  it('rises when hedges bring nothing', () => {
    const evidence = seen([5000, ['answered', 50]], [250, ['answered', 150], ['lost', 50, 100, 2]]);
    expect(ask('hedgeDelayMs', 100, evidence)).toMatchObject({
      to: 150,
      evidence: { hedges: 250, hedgesWon: 0 },
    });
  });

  it('is not judged by hedges that replace a try that failed', () => {
    const evidence = seen([5000, ['answered', 50]], [250, ['failed', 20], ['failed', 20, 20, 2]]);
    expect(ask('hedgeDelayMs', 55, evidence)).toBeUndefined();
  });
});

describe('the circuit breaker', () => {
  const calm = (failed: number) =>
    seen([2000 - failed, ['answered', 10]], [failed, ['failed', 10]]);
  it('needs so many calls that chance does not open it, and no more', () => {
    expect(ask('minimumThroughput', 10, calm(200), { failureRateThreshold: 0.5 })).toMatchObject({
      to: 20,
      target: 32,
    });
    // The 10 % that failed would need 27; by these samples it may be nearly 12 %.
    expect(ask('minimumThroughput', 10, calm(10), { failureRateThreshold: 0.5 })).toBeUndefined();
    expect(ask('minimumThroughput', 60, calm(10), { failureRateThreshold: 0.5 })).toMatchObject({
      to: 30,
    });
  });

  it('opens at twice what fails in calm at least, and never lowers what the user calls an incident', () => {
    expect(ask('failureRateThreshold', 0.3, calm(400))).toMatchObject({ to: 0.4 });
    expect(ask('failureRateThreshold', 0.9, calm(10))).toBeUndefined();
  });

  it('is open for less when the first trial ends most incidents, for longer when few do', () => {
    const incidents = (count: number, openings: number) => {
      const episodes = new Episodes();
      for (let i = 0; i < count; i++) {
        for (let opening = 0; opening < openings; opening++) episodes.opened();
        episodes.closed();
      }
      return episodes;
    };
    const asked = (episodes: Episodes) =>
      ask('openDurationMs', 60_000, new Evidence(), {}, episodes);
    expect(asked(incidents(7, 1))).toMatchObject({ samples: 7, needed: 8 });
    expect(asked(incidents(8, 1))).toMatchObject({ to: 40_000 });
    expect(asked(incidents(8, 4))).toMatchObject({ to: 90_000 });
    expect(asked(incidents(8, 2))).toBeUndefined();
    const byHand = incidents(8, 1);
    byHand.opened();
    byHand.broken();
    byHand.closed();
    expect(byHand.ended).toBe(8);
  });
});

describe('the first delay', () => {
  const after = (delay: number, calls: number, answered: number) =>
    [
      [answered, ['failed', 10, 0], ['answered', 10, 10 + delay]],
      [calls - answered, ['failed', 10, 0], ['failed', 10, 10 + delay]],
    ] as const;
  it('grows when longer ones are answered more often', () => {
    const evidence = seen(...after(50, 400, 100), ...after(150, 400, 300));
    expect(ask('initialDelayMs', 100, evidence)).toMatchObject({
      to: 150,
      evidence: { shorter: 0.25, longer: 0.75 },
    });
  });

  it('shrinks when they surely make no difference', () => {
    expect(
      ask('initialDelayMs', 100, seen(...after(50, 4000, 2000), ...after(150, 4000, 2000))),
    ).toMatchObject({ to: 67 });
  });

  it('stays while it is not known, and where delays are all the same', () => {
    expect(
      ask('initialDelayMs', 100, seen(...after(50, 350, 170), ...after(150, 350, 180))),
    ).toBeUndefined();
    expect(ask('initialDelayMs', 100, seen(...after(100, 4000, 2000)))).toMatchObject({
      samples: 0,
      needed: 300,
    });
  });
});

it('evidence is the same merged or counted as one, and old calls weigh less once it is full', () => {
  const parts = [
    seen([700, ['answered', 20]], [30, ['failed', 5], ['answered', 9]]),
    seen([500, ['answered', 90]], [12, ['failed', 5], ['failed', 5], ['failed', 5]]),
  ] as const;
  const both = new Evidence();
  for (const part of parts) both.merge(part);
  expect(both.calls).toBe(1242);
  expect(both.attempts[1]).toMatchObject({ made: 42, answered: 30 });
  expect(both.triesFailed).toBe(30 + 36);
  expect(both.extraLoad).toBeCloseTo((30 + 24) / 1242);
  for (let i = 0; i < 400; i++) both.merge(parts[1]);
  expect(both.calls).toBeLessThan(200_001);
  expect(both.callDurations.quantile(0.9)).toBeGreaterThan(85);
});
