import { describe, expect, it } from 'vitest';
import { NotConnectedError, scriptRunner } from './client.ts';
import { script } from './scripts/script.ts';

const program = script('return 1');

/** A client that knows no script until it has seen it whole. */
function forgetful() {
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
  const clientOf = ({ bySha, whole }: ReturnType<typeof forgetful>, up = true) =>
    kind === 'ioredis'
      ? { status: up ? 'ready' : 'reconnecting', evalsha: bySha, eval: whole }
      : { isReady: up, evalSha: bySha, eval: whole };
  const expected =
    kind === 'ioredis' ? [1, 'key', 'a', 'b'] : [{ keys: ['key'], arguments: ['a', 'b'] }];

  it('is sent a script by its hash, and whole only when the server does not know it', async () => {
    const server = forgetful();
    const runner = scriptRunner('test', clientOf(server));
    expect(await runner.run(program, 'key', ['a', 'b'])).toBe('whole');
    expect(await runner.run(program, 'key', ['a', 'b'])).toBe('by sha');
    server.known.clear();
    expect(await runner.run(program, 'key', ['a', 'b'])).toBe('whole');
    expect(server.sent).toEqual([
      ['sha', program.sha, ...expected],
      ['whole', program.source, ...expected],
      ['sha', program.sha, ...expected],
      ['sha', program.sha, ...expected],
      ['whole', program.source, ...expected],
    ]);
  });

  it('is sent nothing while it knows that its connection is down', async () => {
    const server = forgetful();
    const runner = scriptRunner('test', clientOf(server, false));
    await expect(runner.run(program, 'key', [])).rejects.toThrow(NotConnectedError);
    await expect(runner.run(program, 'key', [])).rejects.toMatchObject({ code: 'ECONNABORTED' });
    expect(server.sent).toEqual([]);
  });

  it('hands other errors on as they are', async () => {
    const failure = new Error('READONLY You can’t write against a read only replica.');
    const server = { ...forgetful(), bySha: () => Promise.reject(failure) };
    const runner = scriptRunner('test', clientOf(server as never));
    await expect(runner.run(program, 'key', [])).rejects.toBe(failure);
    expect(server.sent).toEqual([]);
  });
});

describe('what is no client', () => {
  it.each([undefined, null, 'redis://localhost', {}, { evalsha: () => undefined }])(
    'is refused: %j',
    (client) => {
      expect(() => scriptRunner('redisStore', client)).toThrow(
        /^redisStore: client must be one of ioredis \(5 or later\) or of redis \(4 or later\), got /,
      );
    },
  );
});
