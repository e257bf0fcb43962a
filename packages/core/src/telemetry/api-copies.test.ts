import { diag, type MeterProvider, metrics, trace } from '@opentelemetry/api';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CopyNotice } from './api-copies.ts';

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

describe('a global of the API that an older copy made', () => {
  it.each([
    ['metrics', { metrics: meters }],
    ['trace', { trace: tracers }],
    ['both', { metrics: meters, trace: tracers }],
  ])('is reported once when %s is registered', (_, providers) => {
    root[key(1)] = { version: '1.9.0', diag: logger, ...providers };
    const notice = new CopyNotice();
    notice.check();
    notice.check();
    expect(warnings).toEqual([expect.stringMatching(/1\.9\.0.*npm ls @opentelemetry\/api/s)]);
  });

  it('is reported once `diag` gets a logger, when it had none', () => {
    const api: Record<string, unknown> = { version: '1.9.0', metrics: meters };
    root[key(1)] = api;
    const notice = new CopyNotice();
    notice.check();
    notice.deliver();
    expect(warnings).toEqual([]);
    api.diag = logger;
    notice.deliver();
    notice.deliver();
    expect(warnings).toHaveLength(1);
  });

  it('is no reason to throw when the logger of `diag` throws', () => {
    const warn = (): never => {
      throw new Error('broken logger');
    };
    root[key(1)] = { version: '1.9.0', diag: { warn }, metrics: meters };
    expect(() => new CopyNotice().check()).not.toThrow();
  });

  it('is named by at most 32 characters of its version', () => {
    root[key(1)] = { version: '9'.repeat(1000), diag: logger, metrics: meters };
    new CopyNotice().check();
    expect(warnings[0]?.length).toBeLessThan(700);
  });
});

describe('a global that this copy of the API accepts', () => {
  it('is not reported', () => {
    diag.setLogger(logger, { suppressOverrideMessage: true });
    metrics.setGlobalMeterProvider(meters);
    trace.setGlobalTracerProvider(tracers);
    new CopyNotice().check();
    expect(warnings.filter((text) => text.includes('temper'))).toEqual([]);
  });

  it('is not reported before something is registered', () => {
    root[key(1)] = { version: '1.9.0', diag: logger };
    new CopyNotice().check();
    expect(warnings).toEqual([]);
  });
});

describe('a global of another major version', () => {
  it.each([0, 2, 3])('is reported when %i.x registers a provider, before or after', (major) => {
    root[key(major)] = { version: `${major}.5.0`, diag: logger, trace: tracers };
    new CopyNotice().watchOtherMajors();
    expect(warnings).toEqual([expect.stringContaining(`${major}.5.0`)]);
    delete root[key(major)];
    new CopyNotice().watchOtherMajors();
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
    new CopyNotice().watchOtherMajors();
    expect(warnings).toEqual([]);
  });
});
