import { settle } from '@temper/testkit';
import { expect, it } from 'vitest';
import { TrackedPromises } from './tracked-promises.ts';

it('counts a promise until it resolves or rejects', async () => {
  const tracked = new TrackedPromises();
  const [a, b] = [Promise.withResolvers<string>(), Promise.withResolvers<string>()];
  expect(tracked.add(a.promise)).toBe(a.promise);
  tracked.add(b.promise).catch(() => {});
  expect(tracked.size).toBe(2);
  a.resolve('done');
  b.reject(new Error('failed'));
  await settle();
  expect(tracked.size).toBe(0);
  expect(await a.promise).toBe('done');
});

it('becomes idle when the last promise has settled, including promises added meanwhile', async () => {
  const tracked = new TrackedPromises();
  await tracked.idle();
  const [a, b] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  tracked.add(a.promise);
  let idle = false;
  void tracked.idle().then(() => {
    idle = true;
  });
  tracked.add(b.promise);
  a.resolve();
  await settle();
  expect(idle).toBe(false);
  b.resolve();
  await settle();
  expect(idle).toBe(true);
});
