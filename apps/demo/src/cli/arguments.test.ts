import { describe, expect, it } from 'vitest';
import { DEFAULT_PORT, parseCommandLine, UsageError } from './arguments.ts';

describe('parseCommandLine', () => {
  it('serves on the default port with background load when no flag is given', () => {
    expect(parseCommandLine([])).toMatchObject({
      command: 'serve',
      host: '127.0.0.1',
      port: DEFAULT_PORT,
      load: true,
      once: false,
    });
  });

  it('reads the port from --port first and from PORT second', () => {
    expect(parseCommandLine(['--port', '9000'], { PORT: '9001' }).port).toBe(9000);
    expect(parseCommandLine([], { PORT: '9001' }).port).toBe(9001);
    expect(parseCommandLine([], { PORT: '' }).port).toBe(DEFAULT_PORT);
  });

  it('parses --scenario with --once and --json', () => {
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
    [['--once'], /require --scenario/],
    [['--json'], /require --scenario/],
    [['--frobnicate'], /frobnicate/],
    [['stray'], /stray/],
  ])('throws a UsageError with the reason for the arguments %j', (args, message) => {
    expect(() => parseCommandLine(args)).toThrow(UsageError);
    expect(() => parseCommandLine(args)).toThrow(message);
  });

  it('reads the token of the operator from PARSERCRAFT_TOKEN, and refuses one that can be guessed', () => {
    const token = (PARSERCRAFT_TOKEN?: string) => parseCommandLine([], { PARSERCRAFT_TOKEN }).token;
    expect(token()).toBeUndefined();
    expect(token('')).toBeUndefined();
    expect(token('0123456789abcdef')).toBe('0123456789abcdef');
    for (const bad of ['0123456789abcde', 'with a space in it', 'x'.repeat(257)]) {
      expect(() => token(bad)).toThrow(/PARSERCRAFT_TOKEN must have 16 to 256/);
    }
  });

  it('names the variable PORT in the error when its value is not a port', () => {
    expect(() => parseCommandLine([], { PORT: '-1' })).toThrow(/PORT must be a port/);
  });
});
