import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { describeActiveHandles } from './handles.ts';

it('describes only the servers, sockets, child processes and timers that keep the event loop alive', async () => {
  const server = createServer((socket) => socket.resume());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const child = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'], {
    stdio: 'ignore',
  });
  const timers = [setInterval(() => {}, 60_000), setInterval(() => {}, 60_000)];
  const unheld = setInterval(() => {}, 60_000).unref();

  const found = describeActiveHandles();
  expect(found).toContain(`server on 127.0.0.1:${port}`);
  expect(found).toContain(`socket to 127.0.0.1:${port} from port ${socket.localPort}`);
  expect(found).toContain(`child process ${child.pid} (${process.execPath})`);
  const timersIn = (all: string[]) =>
    Number(/^(\d+) × timer$/.exec(all.find((each) => each.endsWith('timer')) ?? '')?.[1] ?? 1);
  const withTwo = timersIn(found);
  for (const timer of timers) clearInterval(timer);
  const without = describeActiveHandles().some((each) => each.endsWith('timer'))
    ? timersIn(describeActiveHandles())
    : 0;
  expect(withTwo - without).toBe(2);

  clearInterval(unheld);
  socket.destroy();
  server.close();
  child.kill('SIGKILL');
  await once(child, 'exit');
});
