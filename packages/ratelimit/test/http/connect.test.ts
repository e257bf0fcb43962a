import type { IncomingMessage, ServerResponse } from 'node:http';
import { settle } from '@temper/testkit';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rateLimitMiddleware } from '../../src/http/index.ts';
import { keyed, tokenBucket } from '../../src/index.ts';

describe('rateLimitMiddleware', () => {
  const thrown = new Error('thrown by the handler');
  let uncaught: string[] = [];
  const record = (_error: Error, origin: string): void => void uncaught.push(origin);
  const events = ['uncaughtException', 'unhandledRejection'] as const;
  const listeners = new Map<string, NodeJS.UncaughtExceptionListener[]>();

  it('passes what is not an error on as the cause of one', async () => {
    const limiter = keyed({ template: tokenBucket() });
    const limit = { name: 'a', limiter, key: () => Promise.reject(null) };
    const middleware = rateLimitMiddleware({ limits: [limit] });
    const passed = Promise.withResolvers<unknown>();
    const request = { headers: {}, socket: {} } as IncomingMessage;
    middleware(request, {} as ServerResponse, passed.resolve);
    expect(await passed.promise).toMatchObject({
      message: expect.stringMatching(/^rateLimitMiddleware: .* not an Error: null$/),
      cause: null,
    });
    expect(await passed.promise).toBeInstanceOf(Error);
  });

  beforeEach(() => {
    uncaught = [];
    for (const event of events) {
      listeners.set(event, process.listeners(event as 'uncaughtException'));
      process.removeAllListeners(event);
    }
    process.on('uncaughtException', record);
  });
  afterEach(() => {
    for (const event of events) {
      process.removeAllListeners(event);
      for (const listener of listeners.get(event) ?? [])
        process.on(event as 'uncaughtException', listener);
    }
  });

  it.each([
    ['passes', () => 'a'],
    ['fails', () => Promise.reject(thrown)],
  ])('leaves what next throws to the process when the request %s', async (_, key) => {
    const limit = { name: 'a', limiter: keyed({ template: tokenBucket() }), key };
    const middleware = rateLimitMiddleware({ limits: [limit] });
    const request = { headers: {}, socket: {} } as IncomingMessage;
    const response = { appendHeader: () => undefined, closed: true } as unknown as ServerResponse;
    middleware(request, response, () => {
      throw thrown;
    });
    await settle();
    expect(uncaught).toEqual(['uncaughtException']);
  });
});
