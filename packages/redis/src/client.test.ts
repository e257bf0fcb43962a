import { describe, expect, it } from 'vitest';
import { scriptRunner } from './client.ts';
import { NotConnectedError } from './errors.ts';
import { script } from './scripts/script.ts';

const program = script('return 1');

/** A server that knows a script only after it has received its source. */
function newServer() {
  const sent: unknown[][] = [];
  const known = new Set<string>();
  const bySha = (sha: string, ...rest: unknown[]): Promise<unknown> => {
    sent.push(['sha', sha, ...rest]);
    return known.has(sha)
      ? Promise.resolve('by sha')
      : Promise.reject(new Error('NOSCRIPT No matching script. Please use EVAL.'));
  };
  const whole = (source: string, ...rest: unknown[]): Promise<unknown> => {
    sent.push(['whole', source, ...rest]);
    known.add(program.sha);
    return Promise.resolve('whole');
  };
  return { sent, known, bySha, whole };
}

describe.each(['ioredis', 'redis'] as const)('a client of %s', (kind) => {
  const clientOf = ({ bySha, whole }: ReturnType<typeof newServer>, up = true) =>
    kind === 'ioredis'
      ? { status: up ? 'ready' : 'reconnecting', evalsha: bySha, eval: whole }
      : { isReady: up, evalSha: bySha, eval: whole };
  const expected =
    kind === 'ioredis' ? [1, 'key', 'a', 'b'] : [{ keys: ['key'], arguments: ['a', 'b'] }];

  it('is sent the hash of a script, and its source only when the server does not know it', async () => {
    const server = newServer();
    const runner = scriptRunner('test', clientOf(server));
    expect(await runner.run(program, ['key'], ['a', 'b'])).toBe('whole');
    expect(await runner.run(program, ['key'], ['a', 'b'])).toBe('by sha');
    server.known.clear();
    expect(await runner.run(program, ['key'], ['a', 'b'])).toBe('whole');
    expect(server.sent).toEqual([
      ['sha', program.sha, ...expected],
      ['whole', program.source, ...expected],
      ['sha', program.sha, ...expected],
      ['sha', program.sha, ...expected],
      ['whole', program.source, ...expected],
    ]);
  });

  it('is sent nothing while it reports that its connection is down', async () => {
    const server = newServer();
    const runner = scriptRunner('test', clientOf(server, false));
    await expect(runner.run(program, ['key'], [])).rejects.toThrow(NotConnectedError);
    await expect(runner.run(program, ['key'], [])).rejects.toMatchObject({
      code: 'NOT_CONNECTED',
      policy: 'test',
      classification: { category: 'network', transient: true },
    });
    expect(server.sent).toEqual([]);
  });

  it('passes other errors on unchanged', async () => {
    const failure = new Error('READONLY You can’t write against a read only replica.');
    const server = { ...newServer(), bySha: () => Promise.reject(failure) };
    const runner = scriptRunner('test', clientOf(server as never));
    await expect(runner.run(program, ['key'], [])).rejects.toBe(failure);
    expect(server.sent).toEqual([]);
  });
});

describe('anything but a client', () => {
  it.each([undefined, null, 'redis://localhost', {}, { evalsha: () => undefined }])(
    'is refused: %j',
    (client) => {
      expect(() => scriptRunner('redis', client)).toThrow(
        /^redisStore: client must be one of ioredis \(5 or later\) or of redis \(4 or later\), got /,
      );
    },
  );
});

describe('NotConnectedError', () => {
  it('bounds and scrubs the state that the client reports', () => {
    const state = `down\n${String.fromCharCode(27)}[31m${'x'.repeat(5000)}`;
    const { message } = new NotConnectedError('redis', state);
    expect(message.length).toBeLessThan(200);
    expect(message).not.toMatch(/\p{Cc}/u);
  });
});
