import { spawn } from 'node:child_process';

/** Thrown by a row for what this machine lacks. The table says so; it is no failure. */
export class CannotRun extends Error {}

/** A command that ended with another code than 0, with the end of what it printed. */
class CommandFailed extends Error {
  constructor(command, args, result) {
    const printed = `${result.stdout}\n${result.stderr}`.trim().slice(-4000);
    super(`${command} ${args.join(' ')} ended with code ${result.code}:\n${printed}`);
    this.result = result;
  }
}

/** What other processes must not inherit: npm tells its scripts about itself, and vitest about tests. */
const INHERITED = /^(npm_|NODE_OPTIONS$|OTEL_|VITEST|JEST_|PNPM_|TURBO_)/i;

/** The environment variables of this process, without those that change how others behave. */
function cleanVariables() {
  const kept = Object.entries(process.env).filter(([name]) => !INHERITED.test(name));
  return { ...Object.fromEntries(kept), NO_COLOR: '1', npm_config_update_notifier: 'false' };
}

/**
 * Runs a command to its end.
 *
 * @param options.cwd - its folder
 * @param options.variables - environment variables besides those of this process
 * @param options.timeoutMs - killed after this. Default: 5 minutes
 * @param options.input - what it reads from standard input
 * @param options.mayFail - resolve whatever the exit code is. Default: throw when it is not 0
 * @returns {Promise<{ stdout: string, stderr: string, code: number }>}
 */
export function execute(command, args, options = {}) {
  const { cwd, variables = {}, timeoutMs = 300_000, input = '', mayFail = false } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...cleanVariables(), ...variables },
      stdio: ['pipe', 'pipe', 'pipe'],
      // A group of its own, so that the processes it starts end with it.
      detached: true,
    });
    let stdout = '';
    let stderr = '';
    let late = false;
    child.stdout.setEncoding('utf8').on('data', (text) => (stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text) => (stderr += text));
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    const timer = setTimeout(() => {
      late = true;
      endGroup(child);
    }, timeoutMs);
    child.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    child.on('close', (exitCode, signal) => {
      clearTimeout(timer);
      if (late) stderr += `\n(killed after ${timeoutMs} ms)`;
      const result = { stdout, stderr, code: exitCode ?? signal };
      if (result.code === 0 || mayFail) resolve(result);
      else reject(new CommandFailed(command, args, result));
    });
  });
}

/** Starts a server. `ended` settles when it ends; `printed()` is its output so far. */
export function start(command, args, { cwd, variables = {} } = {}) {
  const child = spawn(command, args, {
    cwd,
    env: { ...cleanVariables(), ...variables },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  child.stderr.setEncoding('utf8').on('data', (text) => (output += text));
  const ended = new Promise((resolve) => {
    child.on('close', (code, signal) => resolve(code ?? signal));
    child.on('error', (error) => resolve(error.message));
  });
  return {
    child,
    ended,
    printed: () => output,
    async stop() {
      endGroup(child);
      await ended;
    },
  };
}

/** @returns a port of 127.0.0.1 that was free a moment ago */
export async function freePort() {
  const { createServer } = await import('node:net');
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function endGroup(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It has ended already.
  }
}
