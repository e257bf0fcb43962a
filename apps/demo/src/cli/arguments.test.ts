import { describe, expect, it } from 'vitest';
import { DEFAULT_PORT, parseCommandLine, UsageError } from './arguments.ts';

describe('the command line', () => {
  it('serves on its own port and makes ordinary load when nothing is said', () => {
    expect(parseCommandLine([])).toMatchObject({
      command: 'serve',
      host: '127.0.0.1',
      port: DEFAULT_PORT,
      load: true,
      once: false,
    });
  });

  it('takes the port from --port, then from PORT', () => {
    expect(parseCommandLine(['--port', '9000'], { PORT: '9001' }).port).toBe(9000);
    expect(parseCommandLine([], { PORT: '9001' }).port).toBe(9001);
    expect(parseCommandLine([], { PORT: '' }).port).toBe(DEFAULT_PORT);
  });

  it('runs a scenario, once and for machines', () => {
    const args = ['--scenario', 'registry-outage', '--once', '--json'];
    expect(parseCommandLine(args)).toMatchObject({
      command: 'scenario',
      scenario: 'registry-outage',
      once: true,
      json: true,
    });
  });

  it.each([
    [['--port', '65536'], /--port must be a port from 0 to 65535, got '65536'/],
    [['--port', 'x'], /got 'x'/],
    [['--client-limit', '0'], /--client-limit must be a number from 1/],
    [['--once'], /belong to a --scenario/],
    [['--json'], /belong to a --scenario/],
    [['--frobnicate'], /frobnicate/],
    [['stray'], /stray/],
  ])('refuses %j and says why', (args, message) => {
    expect(() => parseCommandLine(args)).toThrow(UsageError);
    expect(() => parseCommandLine(args)).toThrow(message);
  });

  it('names the variable when PORT is no port', () => {
    expect(() => parseCommandLine([], { PORT: '-1' })).toThrow(/PORT must be a port/);
  });
});
