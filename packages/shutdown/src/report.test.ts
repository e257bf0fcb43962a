import { describe, expect, it } from 'vitest';
import { exitCodeOf, formatReport, type ShutdownReport } from './report.ts';

const SIGTERM = { kind: 'signal', signal: 'SIGTERM' } as const;
const CRASH = { kind: 'uncaughtException', error: new Error('a bug') } as const;

const report: ShutdownReport = {
  name: 'shop',
  reason: SIGTERM,
  outcome: 'completed',
  startedAt: 0,
  durationMs: 1234.5,
  handlers: [{ phase: 'close', name: 'db', outcome: 'completed', durationMs: 3 }],
  hung: [],
  inFlight: 0,
  cutOff: 0,
  handles: [],
  exitCode: 0,
};

describe('exitCodeOf', () => {
  it.each([
    ['completed', SIGTERM, undefined, 0],
    ['completed', CRASH, undefined, 1],
    ['failed', SIGTERM, undefined, 1],
    ['timed_out', SIGTERM, undefined, 124],
    ['timed_out', CRASH, undefined, 124],
    ['forced', SIGTERM, 'SIGINT', 130],
    ['forced', SIGTERM, 'SIGTERM', 143],
    ['forced', SIGTERM, undefined, 1],
  ] as const)(
    'maps outcome %s after %o, forced by %s, to exit code %i',
    (outcome, reason, forcedBy, code) => {
      expect(exitCodeOf(outcome, reason, forcedBy)).toBe(code);
    },
  );
});

describe('formatReport', () => {
  it('formats a completed shutdown as one line', () => {
    expect(formatReport(report)).toBe(
      "Shutdown 'shop' (SIGTERM) completed after 1235 ms, exit code 0.",
    );
  });

  it('formats failed, hung and cut-off work, one line each', () => {
    const text = formatReport({
      ...report,
      reason: CRASH,
      outcome: 'timed_out',
      exitCode: 124,
      handlers: [
        ...report.handlers,
        {
          phase: 'close',
          name: 'cache',
          outcome: 'failed',
          durationMs: 1,
          error: new Error('gone'),
        },
        { phase: 'close', name: 'queue', outcome: 'timed_out', durationMs: 9 },
        { phase: 'close', name: 'lock', outcome: 'skipped', durationMs: 0 },
      ],
      hung: ['close/queue'],
      inFlight: 2,
      cutOff: 3,
      handles: ['2 × timer', 'server on 0.0.0.0:80'],
    });
    expect(text.split('\n')).toEqual([
      "Shutdown 'shop' (uncaught exception (a bug)) timed out after 1235 ms, exit code 124.",
      '  failed  close/cache: gone',
      '  timed out  close/queue',
      '  skipped  close/lock',
      '  still running: close/queue',
      '  requests cut off: 3',
      '  still in flight: 2',
      '  event loop kept alive by: 2 × timer; server on 0.0.0.0:80',
    ]);
  });
});
