import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { ServerProcess } from './server-process.ts';

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] }));
afterEach(() => void vi.useRealTimers());

it('leaves no timer behind when the server dies in the middle of a message', async () => {
  const partial = `process.stdout.write('Content-Length: 100\\r\\n\\r\\n{"half"', () => process.kill(process.pid, 'SIGKILL'))`;
  const server = new ServerProcess({ command: process.execPath, args: ['-e', partial] }, undefined);
  await expect(server.exited).resolves.toMatchObject({ signal: 'SIGKILL' });
  await server.closed;
  expect(vi.getTimerCount()).toBe(0);
});
