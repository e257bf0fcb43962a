import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { json, type RunningService, runService } from './running-service.ts';

const QUESTION = { text: 'fn one(): int { return 1 }\n' };

/** Process id of the language server of a service. */
function serverOf({ demo }: RunningService): number | undefined {
  const table = execFileSync('ps', ['-A', '-o', 'pid=,args='], { encoding: 'utf8' });
  const descendants = demo.descendants();
  for (const line of table.trim().split('\n')) {
    const pid = Number.parseInt(line, 10);
    if (descendants.includes(pid) && line.includes('lsp/main')) return pid;
  }
  return undefined;
}

describe('a language server that hangs', () => {
  it('is restarted, and every request is answered meanwhile', async () => {
    const service = await runService();
    const ask = async (): Promise<boolean> => {
      const answer = await service.post('/v1/lsp/symbols', QUESTION);
      expect(answer.status, answer.body).toBe(200);
      const { result, degraded } = json<{ result: unknown[]; degraded?: { by: string } }>(answer);
      expect(result).toMatchObject([{ name: 'one' }]);
      if (degraded !== undefined) expect(degraded.by).toBe('last-good');
      return degraded === undefined;
    };
    expect(await ask()).toBe(true);
    const stopped = serverOf(service) as number;
    process.kill(stopped, 'SIGSTOP');
    const fresh: boolean[] = [];
    while (!fresh.at(-1)) fresh.push(await ask());
    expect(fresh).toContain(false);
    expect(serverOf(service)).not.toBe(stopped);
    expect(service.demo.stderr()).toContain('did not answer for');
  });
});
