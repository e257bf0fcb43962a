import { DiagLogLevel, diag } from '@opentelemetry/api';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ProducerEntry, Producers } from './producers.ts';

let warnings: string[];
beforeEach(() => {
  warnings = [];
  const quiet = (): void => {};
  const heard = (text: string): void => void warnings.push(text);
  diag.setLogger(
    { error: quiet, warn: heard, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
});
afterEach(() => diag.disable());

const [first, second] = [{ name: 'first provider' }, { name: 'second provider' }];

function setUp(provider: object | undefined = first) {
  const state = { provider, rebound: 0 };
  const producers = new Producers(
    () => state.rebound++,
    () => state.provider,
  );
  const add = (): ProducerEntry =>
    producers.add(
      () => [],
      () => {},
    );
  return { state, producers, add };
}

it('gives the metrics to instruments, and says so once, when no reader reads the producer', () => {
  const { state, producers, add } = setUp();
  const entry = add();
  expect(producers.replace(first)).toBe(true);
  producers.collected(first, 'a');
  producers.collected(first, 'b');
  expect(warnings).toEqual([]);
  state.rebound = 0;
  for (let i = 0; i < 5; i++) producers.collected(first, 'a');
  expect(state.rebound).toBe(1);
  expect(producers.replace(first)).toBe(false);
  expect(warnings).toEqual([expect.stringContaining('metricProducers')]);
  expect(entry.ask()).toBe(false); // the reader has the instruments: not both
});

it('does not warn when the producer is read, before or after the collection', () => {
  const { producers, add } = setUp();
  const entry = add();
  producers.collected(first, 'a');
  expect(entry.ask()).toBe(true);
  for (let i = 0; i < 5; i++) producers.collected(first, 'a');
  expect(producers.replace(first)).toBe(true);
  expect(warnings).toEqual([]);
});

it('waits for the reader that is slower than another with its own producer', () => {
  const { producers, add } = setUp();
  const [fast, slow] = [add(), add()];
  for (let i = 0; i < 10; i++) {
    producers.collected(first, 'a');
    expect(fast.ask()).toBe(true);
  }
  expect(slow.ask()).toBe(true);
  expect(warnings).toEqual([]);
});

it('leaves the next provider its instruments, unless it has a producer of its own', () => {
  const { state, producers, add } = setUp();
  const old = add();
  expect(old.ask()).toBe(true);
  state.provider = second;
  expect(producers.replace(second)).toBe(false);
  expect(producers.shapesOf(second, { name: 'a', version: '1' }, {} as never)).toBeUndefined();
  expect(old.ask()).toBe(false);
  expect(old.ask()).toBe(false);
  expect(warnings).toEqual([expect.stringContaining('belongs to another MeterProvider')]);
  add();
  expect(producers.replace(second)).toBe(true);
});

it('returns nothing and says nothing while no provider is registered any more', () => {
  const { state, add } = setUp();
  const entry = add();
  entry.ask();
  state.provider = undefined as never;
  expect(entry.ask()).toBe(false);
  expect(warnings).toEqual([]);
});

it('serves a reader that was never registered, beside the instruments of the registered provider', () => {
  const { state, producers, add } = setUp();
  state.provider = undefined as never;
  const own = add();
  expect(own.ask()).toBe(true);
  state.provider = first;
  expect(producers.replace(first)).toBe(false);
  expect(producers.shapesOf(first, { name: 'a', version: '1' }, {} as never)).toEqual([]);
  expect(own.ask()).toBe(true);
});
