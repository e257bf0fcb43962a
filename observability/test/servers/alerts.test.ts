import { describe, expect, it } from 'vitest';
import { parserCraftConfig } from '../../src/generated-files.ts';
import { DEFAULT_CONFIG, type MixinConfig } from '../../src/mixin/config.ts';
import { readConfig } from '../../src/mixin/read-config.ts';
import type { NameStyle } from '../../src/prometheus-names.ts';
import { ALERT_NAMES, ALERTS } from '../../src/rules/alerts/index.ts';
import { ownTest, promtool, situationTests } from './alerts/promtool.ts';
import { type Signal, SUBJECTS, type Subject } from './alerts/subjects.ts';
import { available, PROMTOOL, PROMTOOL_3 } from './programs.ts';

/** Promtool is slow where other work is done. */
const LIMIT_MS = 300_000;
const ON = 'job="demo",instance="a",temper_policy_name="p"';

function subjectOf(alert: string): Subject {
  const subject = SUBJECTS[alert];
  if (subject === undefined) throw new Error(`There is no subject for ${alert}.`);
  return subject;
}

/** The configuration of a subject: with rare samples the rules are evaluated rarely too. */
function configOf(subject: Subject, nameStyle: NameStyle): MixinConfig {
  return { ...DEFAULT_CONFIG, nameStyle, interval: `${(subject.step ?? 0.25) * 60}s` };
}

/** Other names change the series and nothing else, so that one situation shows them right. */
function forTheirFault(program: string | undefined, style: NameStyle): void {
  it.each(ALERTS.map(({ alert }) => alert))(
    `fire %s for its fault in one of two clusters (${style})`,
    (alert) => {
      const subject = subjectOf(alert);
      const config = configOf(subject, style);
      const tests = situationTests(alert, subject, config, 'p').filter(({ name }) =>
        name.endsWith(' twoClusters'),
      );
      expect(tests).toHaveLength(1);
      expect(promtool(program as string, config, alert, tests)).toBe('');
    },
    LIMIT_MS,
  );
}

describe.runIf(available({ promtool: PROMTOOL }))('the alerts', () => {
  it('each have a subject', () => {
    expect(Object.keys(SUBJECTS).sort()).toEqual([...ALERT_NAMES].sort());
  });

  it.each(ALERTS.map(({ alert }) => alert))(
    'fire %s for its fault, and not for a blip, low traffic, a first event, a reset, a restart, another cluster or other instances',
    (alert) => {
      const subject = subjectOf(alert);
      const config = configOf(subject, 'scrape');
      const tests = situationTests(alert, subject, config, 'p');
      expect(tests).toHaveLength(9);
      expect(promtool(PROMTOOL as string, config, alert, tests)).toBe('');
    },
    LIMIT_MS,
  );

  forTheirFault(PROMTOOL, 'otlp');

  const test = (config: MixinConfig, ...args: Parameters<typeof ownTest>): void => {
    expect(promtool(PROMTOOL as string, config, args[0], [ownTest(...args)])).toBe('');
  };

  it('page for a circuit that is half-open at every other scrape', () => {
    const state = (name: string): string =>
      `temper_breaker_state{${ON},temper_breaker_state="${name}"}`;
    test(
      DEFAULT_CONFIG,
      'TemperCircuitOpen',
      {
        [state('closed')]: '1 0x20',
        [state('open')]: `0 ${'1 0 '.repeat(10)}`.trim(),
        [state('half-open')]: `0 ${'0 1 '.repeat(10)}`.trim(),
        [state('isolated')]: '0x20',
      },
      4,
      true,
    );
  });

  it('do not page for a circuit that an operator has isolated, or that is half-open for long', () => {
    for (const other of ['isolated', 'half-open']) {
      const state = (name: string): string =>
        `temper_breaker_state{${ON},temper_breaker_state="${name}"}`;
      test(
        DEFAULT_CONFIG,
        'TemperCircuitOpen',
        { [state('closed')]: '1 0x60', [state('open')]: '0x61', [state(other)]: '0 1x60' },
        15,
        false,
      );
    }
  });

  it('see what an instance counted before its first scrape, if the service is known', () => {
    const other = `temper_shutdown_stopping{job="demo",instance="b",temper_policy_name="p"}`;
    const counted = {
      TemperCircuitFlapping: `temper_breaker_transitions_total{${ON},temper_breaker_from="closed",temper_breaker_to="open"}`,
      TemperAuditLoss: `temper_audit_events_total{${ON},temper_outcome="dropped"}`,
      TemperShutdownIncomplete: `temper_shutdown_handlers_total{${ON},temper_outcome="failed"}`,
    };
    for (const [alert, series] of Object.entries(counted)) {
      const values = '_x160 8x20';
      test(DEFAULT_CONFIG, alert, { [other]: '0x200', [series]: values }, 45, true);
      test(DEFAULT_CONFIG, alert, { [series]: values }, 45, false);
    }
  });

  it('do not take a counter for new that was only not scraped for a while', () => {
    test(
      DEFAULT_CONFIG,
      'TemperAuditLoss',
      // Lost in another life; unreachable for 20 minutes; back.
      {
        [`temper_audit_events_total{${ON},temper_outcome="dropped"}`]: '3x120 _x80 3x120',
        [`temper_shutdown_stopping{${ON}}`]: '0x320',
      },
      80,
      false,
    );
  });

  it('see the incomplete shutdown of a process that ends with the sample that shows it', () => {
    test(
      DEFAULT_CONFIG,
      'TemperShutdownIncomplete',
      { [`temper_shutdown_handlers_total{${ON},temper_outcome="timed_out"}`]: '0 0 1 _x40' },
      5,
      true,
    );
  });

  it.each([
    ['2 failures among 16 calls', 'TemperErrorRateHigh', '0 14x60', '0 2x60', 15],
    ['2 failures among 7 calls in an hour', 'TemperErrorBudgetBurn', '0 5x300', '0 2x300', 70],
  ])('do not fire for %s', (_, alert, good, bad, minute) => {
    const calls = (outcome: string): string =>
      `temper_breaker_calls_total{${ON},temper_outcome="${outcome}"}`;
    test(
      DEFAULT_CONFIG,
      alert,
      { [calls('success')]: good, [calls('failure')]: bad },
      minute,
      false,
    );
  });

  it('do not take an outage for flapping, in which each trial call opens the circuit again', () => {
    const opened = (from: string): string =>
      `temper_breaker_transitions_total{${ON},temper_breaker_from="${from}",temper_breaker_to="open"}`;
    const series = { [opened('closed')]: '0x20 1x200', [opened('half-open')]: '0x20 0+1x200' };
    test(DEFAULT_CONFIG, 'TemperCircuitFlapping', series, 50, false);
  });

  it('see that a budget is spent whose name is not that of the retries', () => {
    const where = (policy: string): string =>
      `{job="demo",instance="a",temper_policy_name="${policy}"`;
    test(
      DEFAULT_CONFIG,
      'TemperRetryBudgetSpent',
      {
        [`temper_retry_budget_available${where('payments')}}`]: '10x4 0x60',
        [`temper_retry_attempts_total${where('charge')},temper_outcome="failure"}`]: '0x4 0+30x60',
      },
      12,
      true,
    );
  });

  it('miss a job that must be there and never was', () => {
    const config = readConfig({ jobs: ['shop', 'demo'] }, ALERT_NAMES);
    test(config, 'TemperTargetAbsent', { [`temper_shutdown_stopping{${ON}}`]: '0x60' }, 10, true);
    test(
      DEFAULT_CONFIG,
      'TemperTargetAbsent',
      { [`temper_shutdown_stopping{${ON}}`]: '0x60' },
      10,
      false,
    );
  });

  it('have thresholds of their own for single policies', () => {
    const subject = subjectOf('TemperRateLimited');
    const config = readConfig({ policies: { lenient: { rejectedRatio: 0.3 } } }, ALERT_NAMES);
    const { fault, ...rest } = Object.groupBy(
      situationTests('TemperRateLimited', subject, config, 'strict'),
      ({ name }) => (name.endsWith(' fault') ? 'fault' : 'rest'),
    );
    expect(Object.keys(rest)).toEqual(['rest']);
    expect(promtool(PROMTOOL as string, config, 'TemperRateLimited', fault ?? [])).toBe('');
    const lenient = situationTests('TemperRateLimited', subject, config, 'lenient');
    const said = promtool(
      PROMTOOL as string,
      config,
      'TemperRateLimited',
      lenient.filter(({ name }) => name.endsWith(' fault')),
    );
    expect(said).toContain('FAILED');
  });

  it('have an objective of their own for single policies', () => {
    const config = readConfig(
      { policies: { lenient: { objective: 0.9, errorRatio: 0.6 } }, interval: '1m' },
      ALERT_NAMES,
    );
    for (const policy of ['strict', 'lenient']) {
      const calls = (outcome: string): string =>
        `temper_breaker_calls_total{job="demo",instance="a",temper_policy_name="${policy}",temper_outcome="${outcome}"}`;
      for (const alert of ['TemperErrorBudgetBurn', 'TemperErrorRateHigh']) {
        const series = { [calls('success')]: '0+15x300', [calls('failure')]: '0+10x300' };
        test(config, alert, series, 60, policy === 'strict');
      }
    }
  });

  it('fire for the latencies of ParserCraft by its own file only', () => {
    const buckets = (policy: string): Record<string, string> =>
      Object.fromEntries(
        (
          [
            ['_bucket', ',le="0.01"', '0+5x80'],
            ['_bucket', ',le="0.025"', '0+25x80'],
            ['_bucket', ',le="+Inf"', '0+25x80'],
            ['_count', '', '0+25x80'],
          ] as const
        ).map(([suffix, le, values]) => [
          `temper_breaker_call_duration${suffix}{job="demo",instance="a",temper_policy_name="${policy}"${le}}`,
          values,
        ]),
      );
    test(parserCraftConfig(), 'TemperLatencyHigh', buckets('ast_codegen'), 15, true);
    test(parserCraftConfig(), 'TemperLatencyHigh', buckets('registry_fetch'), 15, false);
    test(DEFAULT_CONFIG, 'TemperLatencyHigh', buckets('ast_codegen'), 15, false);
  });

  it('are left out and changed as the configuration says', () => {
    const subject = subjectOf('TemperCpuHigh');
    const tests = (config: MixinConfig) =>
      situationTests('TemperCpuHigh', subject, config, 'p').filter(({ name }) =>
        name.endsWith(' fault'),
      );
    const without = readConfig({ alerts: { TemperCpuHigh: false } }, ALERT_NAMES);
    expect(promtool(PROMTOOL as string, without, 'TemperCpuHigh', tests(without))).toContain(
      'FAILED',
    );
    const patient = readConfig({ alerts: { TemperCpuHigh: { for: '1h' } } }, ALERT_NAMES);
    expect(promtool(PROMTOOL as string, patient, 'TemperCpuHigh', tests(patient))).toContain(
      'FAILED',
    );
  });

  it('select and group by the labels of the configuration', () => {
    const config = readConfig(
      {
        selector: 'env="prod"',
        labels: { cluster: 'region', job: 'service', instance: 'pod', namespace: null },
      },
      ALERT_NAMES,
    );
    const series = (env: string, region: string): Record<string, string> => ({
      [`process_cpu_utilization{service="demo",pod="a",region="${region}",env="${env}"}`]:
        '0.95x60',
    });
    test(config, 'TemperCpuHigh', series('test', 'eu'), 10, false);
    test(config, 'TemperCpuHigh', { ...series('test', 'eu'), ...series('prod', 'us') }, 10, true);
  });
});

describe.runIf(PROMTOOL_3 !== undefined)('the alerts in UTF-8 names', () => {
  forTheirFault(PROMTOOL_3, 'utf8');
});

/** Signals of a level have no traffic, so nothing about them may depend on it. */
describe('the subjects', () => {
  it('have a fault that differs from good times', () => {
    for (const [alert, { signals }] of Object.entries(SUBJECTS)) {
      const differs = ({ normal, faulty }: Signal): boolean => normal !== faulty;
      expect(signals.some(differs), alert).toBe(true);
    }
  });
});
