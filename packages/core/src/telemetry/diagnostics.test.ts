import { DiagLogLevel, diag } from '@opentelemetry/api';
import { afterEach, expect, it } from 'vitest';
import { reportCallbackError, reportTelemetryError } from './diagnostics.ts';

afterEach(() => diag.disable());

/** What is logged as an error on `diag`. */
function listen(): unknown[][] {
  const logged: unknown[][] = [];
  const quiet = (): void => {};
  const error = (...all: unknown[]): void => void logged.push(all);
  diag.setLogger(
    { error, warn: quiet, info: quiet, debug: quiet, verbose: quiet },
    { logLevel: DiagLogLevel.ERROR, suppressOverrideMessage: true },
  );
  return logged;
}

const SECRET = 'hunter2';
const leaking = (): Error =>
  Object.assign(new TypeError(`GET https://user:${SECRET}@host/?token=${SECRET} failed`), {
    config: { headers: { authorization: SECRET } },
  });
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const hostile = (key: string): Error =>
  Object.defineProperty(new Error('x'), key, {
    get() {
      throw new Error('hostile');
    },
  });

/** Errors of user code, and what their text must keep. */
const ERRORS: [string, () => unknown, string][] = [
  ['an error with credentials', leaking, 'failed'],
  ['an error that was caused by one', () => new Error('outer', { cause: leaking() }), 'outer'],
  ['a string with credentials', () => `https://user:${SECRET}@host/ failed`, 'failed'],
  ['an error of a megabyte', () => new Error('a'.repeat(1 << 20)), 'aaa'],
  [
    'an error whose name is a megabyte',
    () => Object.assign(new Error('x'), { name: 'n'.repeat(1 << 20) }),
    'nnn',
  ],
  [
    'an error whose stack is a megabyte',
    () => Object.assign(new Error('x'), { stack: '  at f\n'.repeat(1 << 18) }),
    'at f',
  ],
  ['an error with terminal escapes', () => new Error('\u001b[31mred\u001b[0m'), 'red'],
  ['an error with a hostile stack', () => hostile('stack'), 'x'],
  ['an error with a hostile name', () => hostile('name'), ''],
  ['an error with a hostile message', () => hostile('message'), ''],
  ['a revoked proxy', revoked, ''],
  ['undefined', () => undefined, 'undefined'],
  ['a symbol', () => Symbol('s'), 's'],
  ['an object', () => ({ password: SECRET }), ''],
];

it.each(ERRORS)('logs %s bounded and scrubbed', (_, make, kept) => {
  const logged = listen();
  reportCallbackError('retry', 'onRetry', make());
  reportTelemetryError('@temper/retry', make());
  expect(logged).toHaveLength(2);
  for (const [message, detail] of logged) {
    expect(message).toEqual(expect.stringContaining('the call continued without it'));
    const text = shown(detail);
    expect(text).toContain(kept);
    expect(text).not.toContain(SECRET);
    expect(text).not.toContain('\u001b');
    expect(text.length).toBeLessThan(16_000);
  }
});

it('keeps where an error was thrown, and whether it is one', () => {
  const logged = listen();
  reportCallbackError('retry', 'onRetry', leaking());
  expect(logged[0]?.[1]).toBeInstanceOf(Error);
  expect(logged[0]?.[1]).toMatchObject({
    name: 'TypeError',
    stack: expect.stringContaining('diagnostics.test.ts'),
  });
});

/** All that a logger could print of a value. */
function shown(value: unknown): string {
  if (!(value instanceof Error)) return String(value);
  const own = Object.fromEntries(
    Reflect.ownKeys(value).map((key) => [key, String(value[key as keyof Error])]),
  );
  return `${value.name} ${value.message} ${JSON.stringify(own)}`;
}
