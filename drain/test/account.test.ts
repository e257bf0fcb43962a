import { describe, expect, it } from 'vitest';
import { type Account, judge } from '../src/account.ts';
import type { Loss } from '../src/client/tally.ts';

const SIGNAL_AT = 1_000_000;
const at = (ms: number): number => SIGNAL_AT + ms;

/** A client that was reset 20 ms after the signal, right after it had connected. */
function lossOf(changes: Partial<Loss> = {}): Loss {
  return {
    reason: 'ECONNRESET on a new connection',
    code: 'ECONNRESET',
    phase: 'handshake',
    port: 50_000,
    connectedAt: at(19.96),
    lostAt: at(20),
    received: 0,
    ...changes,
  };
}

/** A service that accepted its connection, read nothing and held it for a second. */
function accountOf(changes: Partial<Account['accepted'][number]> = {}): Account {
  const accepted = { port: 50_000, acceptedAt: at(21), read: 0, closedAt: at(1021), ...changes };
  return { accepted: [accepted], endedAt: at(1100) };
}

describe('a request that was not answered', () => {
  it('is not lost if the service held its connection long after the client was reset', () => {
    const { lost, resetByKernel } = judge([lossOf()], accountOf(), SIGNAL_AT);
    expect(lost).toEqual([]);
    expect(resetByKernel.map((line) => JSON.parse(line))).toEqual([
      {
        reason: 'ECONNRESET on a new connection',
        phase: 'handshake',
        received: 0,
        connectedMs: 20,
        lostMs: 20,
        service: { acceptedMs: 21, read: 0, closedMs: 1021 },
      },
    ]);
  });

  it('is not lost either if the service held its connection until it ended', () => {
    const account = accountOf();
    const [accepted] = account.accepted;
    delete accepted?.closedAt;
    expect(judge([lossOf()], account, SIGNAL_AT).lost).toEqual([]);
  });

  it.each<[string, Loss, Account | undefined]>([
    ['the service had closed the connection', lossOf(), accountOf({ closedAt: at(19) })],
    ['the service closed the connection soon after it', lossOf(), accountOf({ closedAt: at(400) })],
    ['the service has read from the connection', lossOf(), accountOf({ read: 1 })],
    ['the service has not accepted the connection', lossOf({ port: 50_001 }), accountOf()],
    ['the service left no account', lossOf(), undefined],
    ['the connection was closed, not reset', lossOf({ code: undefined }), accountOf()],
    ['the client had received something', lossOf({ received: 1 }), accountOf()],
    ['the client had no connection', lossOf({ port: undefined }), accountOf({ port: undefined })],
  ])('is lost if %s', (_, loss, account) => {
    const { lost, resetByKernel } = judge([loss], account, SIGNAL_AT);
    expect(lost).toEqual([{ reason: loss.reason, line: expect.stringContaining(loss.reason) }]);
    expect(resetByKernel).toEqual([]);
  });
});
