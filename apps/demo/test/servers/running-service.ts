import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { type HttpAnswer, HttpCaller, type HttpQuestion } from '../../src/drills/http-caller.ts';
import { type DemoProcess, runDemo, until } from './demo-process.ts';

export interface RunningService {
  readonly demo: DemoProcess;
  readonly url: string;
  readonly token: string;
  readonly call: (question: HttpQuestion) => Promise<HttpAnswer>;
  /** POSTs JSON. */
  readonly post: (
    path: string,
    body: unknown,
    headers?: Readonly<Record<string, string>>,
  ) => Promise<HttpAnswer>;
  readonly withToken: Readonly<Record<string, string>>;
  readonly fault: (name: string, on: boolean) => Promise<HttpAnswer>;
}

/** Creates a folder that is removed when the test ends. */
export function temporaryDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'parsercraft-test-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Starts the service as `npm start` does, on a free port and with a temporary folder. */
export async function runService(
  args: readonly string[] = ['--no-load'],
  env: Readonly<Record<string, string>> = {},
  nodeArgs: readonly string[] = [],
): Promise<RunningService> {
  const own = ['--port=0', `--data-dir=${temporaryDir()}`];
  const demo = await runDemo([...own, ...args], env, nodeArgs);
  await Promise.race([
    until(() => /^token: /m.test(demo.stderr()), 30_000, 'the service'),
    demo.exited.then(({ code, signal }) => {
      throw new Error(`The service exited with ${signal ?? code}: ${demo.stderr()}`);
    }),
  ]);
  const url = /^ParserCraft: (\S+)/m.exec(demo.stderr())?.[1] as string;
  const token = /^token: +(\S+)/m.exec(demo.stderr())?.[1] as string;
  // A long timeout, because responses may be slow on a loaded machine.
  const caller = new HttpCaller(url, 64, 60_000);
  onTestFinished(() => caller[Symbol.dispose]());
  const withToken = { authorization: `Bearer ${token}` };
  const call = (question: HttpQuestion): Promise<HttpAnswer> => caller.call(question);
  const post: RunningService['post'] = (path, body, headers = {}) =>
    call({ method: 'POST', path, headers, body: JSON.stringify(body) });
  return {
    demo,
    url,
    token,
    call,
    post,
    withToken,
    fault: (name, on) => post('/v1/faults', { name, on }, withToken),
  };
}

export const json = <T = Record<string, unknown>>({ body }: HttpAnswer): T => JSON.parse(body) as T;
