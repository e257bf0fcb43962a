import type { Parser } from '@temper/testkit/repository/fuzz';
import { formatIpv6, parseAddress, parseNetwork } from '../src/http/addresses.ts';
import { ClientAddress } from '../src/http/client-address.ts';
import { parseRateLimit, parseRateLimitPolicy } from '../src/http/fields.ts';
import { hopsOf } from '../src/http/forwarded.ts';
import { olderLimit } from '../src/http/older-announcements.ts';
import { ServerAnnouncements } from '../src/http/server-announcements.ts';
import { parseList, serializeString } from '../src/http/structured-fields.ts';
import { readLost, readPermits, readTake } from '../src/shared/store-replies.ts';

function holds(law: boolean, what: string): void {
  if (!law) throw new Error(what);
}

const NOW = Date.UTC(2026, 0, 1);
const MAX_BLOCK_MS = 60_000;
const clients = [
  new ClientAddress('fuzz', { trustedProxies: ['loopback', '10.0.0.0/8'] }),
  new ClientAddress('fuzz', { trustedProxies: 2, forwardedHeader: 'forwarded', ipv6Prefix: 128 }),
];
const RULE = { kind: 'fixed-window', limit: 10, windowMs: 1000 } as const;

const isRange = (error: unknown): boolean =>
  error instanceof TypeError || error instanceof RangeError;

/** The parsers of text from elsewhere, with the laws that hold for every text. */
export const PARSERS: readonly Parser[] = [
  {
    name: 'structured fields',
    accepted: [
      '"default";q=100;w=60',
      '"a";r=50;t=30, "b";r=0;pk=:cGFydA==:',
      'token;x=?1;y=-1.5, @123, %"f%c3%bc", :YQ==:',
      '',
      '"q\\"\\\\"',
    ],
    refused: ['"open', '1.', '"a",', '(a b)', ':a b:', '1;;', '?2', '1234567890123456'],
    parse: (text) => {
      const items = parseList(text);
      for (const { bare } of items ?? []) {
        if (bare.type !== 'string') continue;
        const [again] = parseList(serializeString(bare.value)) ?? [];
        holds(again?.bare.value === bare.value, 'a string that is written and read again');
      }
      return items;
    },
  },
  {
    name: 'limits that a server announces',
    accepted: [
      '"default";q=100;w=60',
      '"a";r=50;t=30',
      'limit=10, remaining=5, reset=3',
      '1700000000',
    ],
    parse: (text) => {
      const fields = ['ratelimit', 'ratelimit-policy', 'ratelimit-remaining', 'x-ratelimit-reset'];
      const more = ['retry-after', 'x-rate-limit-remaining', 'age', 'date'];
      for (const name of [...fields, ...more]) {
        const headers = { 'x-ratelimit-remaining': '0', 'ratelimit-reset': '1', [name]: text };
        const limits = new ServerAnnouncements('me', MAX_BLOCK_MS).read(
          { status: 429, headers },
          NOW,
        );
        holds(limits.length <= 34, `${limits.length} limits`);
        for (const { remaining, resetMs } of limits) {
          holds(remaining >= 0 && resetMs >= 0 && resetMs <= MAX_BLOCK_MS, 'a limit in range');
        }
        olderLimit({ headers }, NOW);
      }
      return [parseRateLimit(text), parseRateLimitPolicy(text)];
    },
  },
  {
    name: 'Forwarded, X-Forwarded-For and addresses of connections',
    accepted: [
      'for=192.0.2.60;proto=http;by=203.0.113.43',
      'for="[2001:db8::1]:4711", for=unknown, for="_hidden", for="a\\"b"',
      '203.0.113.195, 2001:db8:85a3::8a2e:370:7334, 10.0.0.1',
      '::ffff:10.0.0.1%eth0',
    ],
    parse: (text) => {
      for (const client of clients) {
        for (const remote of ['10.0.0.1', text]) {
          const address = client.of({ remote, header: () => text });
          if (address === undefined) continue;
          holds(parseNetwork(address) !== undefined && address.length <= 64, `key ${address}`);
        }
      }
      return [hopsOf('forwarded', text), hopsOf('x-forwarded-for', text)];
    },
  },
  {
    name: 'IP addresses',
    accepted: [
      '192.0.2.1',
      '::',
      '::1',
      '2001:db8::8:800:200c:417a',
      '::ffff:1.2.3.4',
      '1:2:3:4:5:6:7:8',
    ],
    refused: [
      '',
      '1.2.3',
      '01.2.3.4',
      ':::',
      '1::2::3',
      'g::',
      '256.1.1.1',
      '1:2:3:4:5:6:7',
      '::1.2.3',
    ],
    parse: (text) => {
      const address = parseAddress(text);
      if (address === undefined) return undefined;
      const again = parseAddress(formatIpv6(address));
      holds(String(again) === String(address), `${formatIpv6(address)} for ${text}`);
      return address;
    },
  },
  {
    name: 'replies of a store',
    accepted: [
      '{"answers":[{"taken":true,"waitMs":0,"receipt":"r"}],"remaining":9,"resetMs":100}',
      '{"answers":[{"taken":false,"retryAfterMs":5,"askAgainMs":1}],"remaining":0,"resetMs":1e9}',
      '{"granted":1,"inUse":1,"expiryMs":1000}',
      '["a"]',
    ],
    refused: [
      'null',
      '[]{}',
      '{"answers":[]}',
      '{"granted":-1,"inUse":1,"expiryMs":1}',
      '["a","b","c"]',
    ],
    refusal: isRange,
    parse: (text) => {
      let reply: unknown;
      try {
        reply = JSON.parse(text);
      } catch {
        return undefined;
      }
      const readers = [
        () => readTake(reply, RULE, [{ key: 'k', cost: 1, maxWaitMs: 0 }] as never, 5000),
        () => readPermits(reply, 1, 30_000),
        () => readLost(reply, ['a', 'b']),
      ];
      const errors: unknown[] = [];
      for (const read of readers) {
        try {
          return read();
        } catch (error) {
          if (!isRange(error) || (error as Error).message.length > 500) throw error;
          errors.push(error);
        }
      }
      throw errors[0];
    },
  },
];
