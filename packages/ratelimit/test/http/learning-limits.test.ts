import { ManualClock } from '@temper/testkit';
import { afterEach, describe, expect, it } from 'vitest';
import { adaptiveConcurrency } from '../../src/adaptive/index.ts';
import { type Decision, type Lease, tokenBucket } from '../../src/index.ts';
import { closeServers, frameworks, type Handle } from './frameworks.ts';

afterEach(closeServers);

const fail = (): never => {
  throw new Error('a bug');
};
const hello: Handle = async () => 'hello';
/** Nothing comes back while the machine is slow. */
const still = new ManualClock();

describe.each(frameworks)('%s', (_, start) => {
  describe('a limit that learns', () => {
    /** Records how its leases end. */
    const learning = () => {
      const ends: string[] = [];
      const limiter = adaptiveConcurrency();
      const take = (): Decision => {
        const decision = limiter.take();
        const end = (how: string) => (): void => void ends.push(how);
        const lease = { release: end('success'), ignore: end('ignored') } as Partial<Lease>;
        return { ...decision, lease: lease as Lease };
      };
      return { ends, limit: { name: 'learning', limiter: { take } } };
    };

    it('learns from a request that was served', async () => {
      const { ends, limit } = learning();
      const url = await start({ limits: [limit] }, hello);
      await (await fetch(url)).text();
      await expect.poll(() => ends).toEqual(['success']);
    });

    it('learns nothing from a request that another limit refused', async () => {
      const { ends, limit } = learning();
      const limiter = tokenBucket({ clock: still, burst: 1 });
      limiter.tryAcquire();
      const url = await start({ limits: [limit, { name: 'b', limiter }] }, hello);
      expect((await fetch(url)).status).toBe(503);
      expect(ends).toEqual(['ignored']);
    });

    it('learns nothing when a later limit fails', async () => {
      const { ends, limit } = learning();
      const failing = { name: 'b', limiter: tokenBucket(), cost: fail };
      const url = await start({ limits: [limit, failing] }, hello);
      expect((await fetch(url)).status).toBe(500);
      expect(ends).toEqual(['ignored']);
    });

    it('learns nothing from a response that is closed early', async () => {
      const { ends, limit } = learning();
      const begun = Promise.withResolvers<void>();
      const url = await start({ limits: [limit] }, () => {
        begun.resolve();
        return new Promise(() => undefined);
      });
      const controller = new AbortController();
      const request = fetch(url, { signal: controller.signal });
      await begun.promise;
      controller.abort();
      await expect(request).rejects.toThrow();
      await expect.poll(() => ends).toEqual(['ignored']);
    });
  });
});
