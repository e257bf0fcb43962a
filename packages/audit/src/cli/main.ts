#!/usr/bin/env node
import { once } from 'node:events';
import type { WriteStream } from 'node:tty';
import { systemClock } from '@temper/core';
import type { Output } from './io.ts';
import { run } from './run.ts';

/** Width of a terminal that does not report one. */
const COLUMNS = 80;

function output(stream: WriteStream): Output {
  return {
    isTerminal: stream.isTTY === true,
    columns: stream.columns ?? COLUMNS,
    write: async (text) => {
      if (!stream.write(text)) await once(stream, 'drain');
    },
  };
}

// A reader such as `head` may close the pipe early; that is not an error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  process.exit(error.code === 'EPIPE' ? 0 : 3);
});

const interrupt = new AbortController();
process.once('SIGINT', () => interrupt.abort());

void run(process.argv.slice(2), {
  stdout: output(process.stdout as WriteStream),
  stderr: output(process.stderr as WriteStream),
  env: process.env,
  clock: systemClock,
  signal: interrupt.signal,
}).then((code) => {
  process.exitCode = code;
});
