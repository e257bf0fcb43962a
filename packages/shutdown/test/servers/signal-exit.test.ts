import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, it } from 'vitest';

const SIGNAL_EXIT = import.meta.resolve('signal-exit');

/** Listens with the real `signal-exit` too, which many command-line tools bring along. */
const SERVICE = (first: string, second: string) => `
  import http from 'node:http';
  import { gracefulShutdown } from '@temper/shutdown';
  import { onExit } from '${SIGNAL_EXIT}';
  let shutdown;
  const ours = () => { shutdown = gracefulShutdown({ signals: ['SIGTERM'], delayMs: 0 }); };
  const theirs = () => onExit((code, signal) => console.log('cleaned up', code, signal));
  ${first}(); ${second}();
  shutdown.register({ name: 'database', run: () => console.log('database closed') });
  const server = http.createServer((request, response) => {
    console.log('working');
    setTimeout(() => response.end('answered'), 500);
  });
  shutdown.server(server);
  server.listen(0, '127.0.0.1', () => console.log('port', server.address().port));`;

it.each([
  ['ours', 'theirs'],
  ['theirs', 'ours'],
])(
  'finishes the shutdown beside signal-exit, and its cleanup runs at the end: %s, then %s',
  async (...order) => {
    const service = spawn(process.execPath, ['--input-type=module', '--eval', SERVICE(...order)], {
      cwd: new URL('../..', import.meta.url),
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    let answer: Promise<string> | undefined;
    service.stdout.on('data', (data) => {
      text += data;
      const port = /port (\d+)/.exec(text)?.[1];
      if (port !== undefined) {
        answer ??= fetch(`http://127.0.0.1:${port}`).then((response) => response.text());
      }
      if (text.includes('working') && !text.includes('closed')) service.kill('SIGTERM');
    });
    const [code, signal] = await once(service, 'close');
    expect({ code, signal, answer: await answer }).toEqual({
      code: 0,
      signal: null,
      answer: 'answered',
    });
    const [, , ...ends] = text.trim().split('\n');
    expect(ends).toEqual(['database closed', 'cleaned up 0 null']);
  },
);
