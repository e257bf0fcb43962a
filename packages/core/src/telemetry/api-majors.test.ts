import { type MeterProvider, metrics } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MajorNotice } from './api-majors.ts';

const root = globalThis as unknown as Record<symbol, Record<string, unknown> | undefined>;
const key = (major: number): symbol => Symbol.for(`opentelemetry.js.api.${major}`);

const meters: MeterProvider = { getMeter: () => undefined as never };
const tracers = { getTracer: () => undefined as never };

let warnings: string[];
const logger = {
  error: () => {},
  warn: (message: string) => void warnings.push(message),
  info: () => {},
  debug: () => {},
  verbose: () => {},
};

beforeEach(() => {
  warnings = [];
  for (const major of [0, 1, 2, 3]) delete root[key(major)];
});
afterEach(() => {
  for (const major of [0, 1, 2, 3]) delete root[key(major)];
});

describe('a global of another major version', () => {
  it.each([0, 2, 3])('is reported when %i.x registers a provider, before or after', (major) => {
    root[key(major)] = { version: `${major}.5.0`, diag: logger, trace: tracers };
    new MajorNotice().watchOtherMajors();
    expect(warnings).toEqual([expect.stringContaining(`${major}.5.0`)]);
    delete root[key(major)];
    new MajorNotice().watchOtherMajors();
    const api: Record<string, unknown> = { version: `${major}.6.0` };
    root[key(major)] = api;
    api.trace = tracers;
    api.metrics = meters;
    expect(warnings).toHaveLength(1);
    api.diag = logger;
    expect(warnings).toHaveLength(2);
    expect(warnings[1]).toContain(`${major}.6.0`);
  });

  it('is not reported beside providers that Temper uses', () => {
    metrics.setGlobalMeterProvider(meters);
    root[key(2)] = { version: '2.0.0', diag: logger, trace: tracers };
    new MajorNotice().watchOtherMajors();
    expect(warnings).toEqual([]);
  });

  it('is reported once `diag` gets a logger, with at most 32 characters of its version', () => {
    const api: Record<string, unknown> = { version: '9'.repeat(1000), trace: tracers };
    root[key(2)] = api;
    const notice = new MajorNotice();
    notice.watchOtherMajors();
    expect(warnings).toEqual([]);
    api.diag = logger;
    notice.deliver();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]?.length).toBeLessThan(700);
  });

  it('is no reason to throw when the logger of `diag` throws', () => {
    const warn = (): never => {
      throw new Error('broken logger');
    };
    root[key(2)] = { version: '2.0.0', diag: { warn }, metrics: meters };
    expect(() => new MajorNotice().watchOtherMajors()).not.toThrow();
  });
});
