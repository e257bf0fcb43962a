import { beforeAll, describe, expect, it } from 'vitest';
import { buildNext } from '../../src/next-build.ts';
import { PROTOCOL_NAMES, type ProtocolName, ROWS } from '../../src/protocols.ts';
import { type Run, run } from '../../src/run.ts';

// One run of each framework and of each protocol; `drain:table` measures all of them, several times each.

/**
 * Longer than the machine keeps the clients from sending, as in the suite of @temper/shutdown: 240 handshakes at a
 * time take a second of a processor, and a client that has connected and waits for it is idle for the service.
 */
const IDLE_GRACE_MS = 5_000;

const once = (tool: string, row: string, protocol: ProtocolName) =>
  run({ tool, row, protocol }, 'reconnect', IDLE_GRACE_MS);

function expectNoneLost({ lost, losses, resetByKernel, end }: Run): void {
  expect({ lost, losses, end }).toEqual({ lost: 0, losses: [], end: '0' });
  // About one of 13 000 connections.
  expect(resetByKernel.length, resetByKernel.join('\n')).toBeLessThanOrEqual(2);
}

describe('@temper/shutdown loses none of 200 requests in flight on SIGTERM', () => {
  beforeAll(buildNext);

  it.each(Object.keys(ROWS))('with %s', async (row) => {
    const protocol = ROWS[row]?.lacks.includes('http') ? 'https' : 'http';
    const result = await once('@temper/shutdown', row, protocol);
    const { inFlight, sent } = result;
    expectNoneLost(result);
    expect(inFlight).toBeGreaterThanOrEqual(190);
    expect(sent).toBeGreaterThan(inFlight);
  });

  it.each(PROTOCOL_NAMES.filter((protocol) => protocol !== 'http'))('over %s', async (protocol) => {
    const result = await once('@temper/shutdown', 'Node', protocol);
    expectNoneLost(result);
    expect(result.inFlight).toBeGreaterThanOrEqual(190);
  });
});

describe('every request in flight is counted as lost', () => {
  it.each(PROTOCOL_NAMES)('when the process exits on SIGTERM, over %s', async (protocol) => {
    const { lost, inFlight, sent } = await once('process.exit()', 'Node', protocol);
    // A few are answered after they were counted and before the process has received the signal.
    expect(lost).toBeGreaterThan(inFlight * 0.9);
    expect(lost).toBeLessThan(sent);
  });
});
