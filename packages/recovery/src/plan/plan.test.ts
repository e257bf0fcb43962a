import { describe, expect, it } from 'vitest';
import { PipelineOrderError } from '../errors.ts';
import { type RecoveryPlan, resolvePlan } from './plan.ts';
import { recover } from './recovery.ts';

const plan = (fields: Partial<RecoveryPlan>): RecoveryPlan => ({ operation: 'op', ...fields });

describe('a plan', () => {
  it('retries three times from 100 ms within five seconds by default', () => {
    expect(resolvePlan(plan({}))).toMatchObject({
      strategies: ['retry'],
      maxRetries: 3,
      retryDelayMs: 100,
      timeoutMs: 5000,
      spans: 'failures',
    });
  });

  it('can name its handlers', () => {
    const handler = (): number => 1;
    const resolved = resolvePlan(plan({ strategy: 'fallback', fallback: 'first' }), {
      handlers: { first: handler },
    });
    expect(resolved.fallback).toBe(handler);
  });

  it.each<[Partial<RecoveryPlan>, string]>([
    [
      { operation: '' },
      "recovery plan: operation must be a non-empty string of at most 128 characters without control characters, got ''.",
    ],
    [
      { strategy: 'give_up' as never },
      "recovery plan 'op': strategy must be one of 'retry', 'circuit_break', 'fallback', 'graceful_degrade', got 'give_up'.",
    ],
    [{ strategy: [] }, "recovery plan 'op': strategy must be one of"],
    [{ strategy: ['retry', 'retry'] }, "recovery plan 'op': strategy names 'retry' twice."],
    [
      { strategy: ['fallback', 'retry'], fallback: () => 1 },
      "strategy must name 'retry' before 'fallback', which answers after the last call.",
    ],
    [
      { strategy: 'fallback' },
      "recovery plan 'op': strategy 'fallback' needs fallback, a handler.",
    ],
    [{ strategy: 'graceful_degrade' }, "strategy 'graceful_degrade' needs degrade, a handler."],
    [{ fallback: () => 1 }, "fallback is given, but strategy does not name 'fallback'."],
    [
      { strategy: 'fallback', fallback: 'x' },
      "fallback must be a function or the name of a handler (known are none), got 'x'.",
    ],
    [{ strategy: 'fallback', fallback: 'toString' }, 'known are none'],
    [{ maxRetries: -1 }, "recovery plan 'op': maxRetries must be an integer >= 0, got -1."],
    [{ maxRetries: 1.5 }, "recovery plan 'op': maxRetries must be an integer >= 0, got 1.5."],
    [
      { retryDelayMs: Number.NaN },
      "recovery plan 'op': retryDelayMs must be a finite number >= 0, got NaN.",
    ],
    [{ timeoutMs: 0 }, "recovery plan 'op': timeoutMs must be a finite number > 0, got 0."],
    [
      { spans: 'some' as never },
      "recovery plan 'op': spans must be one of 'all', 'failures', 'none', got 'some'.",
    ],
    [{ shouldHandle: 1 as never }, "recovery plan 'op': shouldHandle must be a function, got 1."],
    [{ isFailure: () => false } as never, "recovery plan: unknown option 'isFailure'"],
    [
      { attemptTimeoutMs: '1s' as never },
      "recovery plan 'op': attemptTimeoutMs must be a finite number > 0, got '1s'.",
    ],
    [
      { retry: { maxAttempts: 3 } as never },
      "recovery plan 'op': retry.maxAttempts cannot be set here: set maxRetries of the plan.",
    ],
    [
      { breaker: { shouldHandle: () => true } as never },
      "recovery plan 'op': breaker.shouldHandle cannot be set here: set shouldHandle of the plan.",
    ],
    [{ retry: 1 as never }, "recovery plan 'op': retry must be an object, got 1."],
    [
      { retries: 1 } as never,
      "recovery plan: unknown option 'retries'; known are operation, strategy",
    ],
  ])('is refused: %o', (fields, message) => {
    expect(() => recover(plan(fields))).toThrow(message);
  });

  it('is refused when a time does not fit into another', () => {
    expect(() => recover(plan({ timeoutMs: 50 }))).toThrow(PipelineOrderError);
    expect(() => recover(plan({ attemptTimeoutMs: 5000 }))).toThrow(PipelineOrderError);
    expect(() => recover(plan({ strategy: 'circuit_break', timeoutMs: 50 }))).not.toThrow();
  });

  it('is refused when an option of its retry or breaker is invalid', () => {
    expect(() => recover(plan({ retry: { multiplier: 0 } }))).toThrow('retry: multiplier');
    const breaker = { failureThreshold: 0 };
    expect(() => recover(plan({ strategy: 'circuit_break', breaker }))).toThrow('failureThreshold');
  });

  it.each([
    [null, {}, 'recovery plan: options must be an object, got null.'],
    [plan({}), null, "recovery plan 'op': options must be an object, got null."],
    [plan({}), { clocks: 1 }, "recovery plan 'op': unknown option 'clocks'"],
    [plan({}), { handlers: { a: 1 } }, "handlers['a'] must be a function, got 1."],
  ])('is refused with its environment: %o, %o', (given, environment, message) => {
    expect(() => recover(given as never, environment as never)).toThrow(message);
  });
});
