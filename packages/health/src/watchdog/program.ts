/** What the thread of the watchdog is told at its start. */
export interface WatchdogSettings {
  readonly port: number;
  readonly host: string | undefined;
  readonly path: string;
  readonly stallMs: number;
  readonly sampleMs: number;
  readonly pollMs: number;
  /** Begins what is written to standard error. */
  readonly owner: string;
  /** Two integers: heartbeats of the main thread, and whether its liveness checks pass (0) or fail (1). */
  readonly shared: SharedArrayBuffer;
}

/** What the thread tells. */
export type WatchdogMessage =
  | { readonly kind: 'listening'; readonly port: number }
  | { readonly kind: 'error'; readonly message: string; readonly code: string | undefined }
  | {
      readonly kind: 'stall';
      readonly durationMs: number;
      /** Whether liveness failed meanwhile. */
      readonly failed: boolean;
      /** Where the main thread was; undefined if that could not be found out. */
      readonly stack: string | undefined;
    };

/**
 * The program of the watchdog's thread. Only its text reaches the thread, so it must refer to nothing
 * outside itself but globals.
 */
export function watchdogProgram(): void {
  const { parentPort, workerData } = process.getBuiltinModule('node:worker_threads');
  const { createServer } = process.getBuiltinModule('node:http');
  const { writeSync } = process.getBuiltinModule('node:fs');
  const { Session } = process.getBuiltinModule('node:inspector');
  const settings = workerData as WatchdogSettings;
  const { port, host, path, stallMs, sampleMs, pollMs, owner } = settings;
  const shared = new Int32Array(settings.shared);
  const tell = (message: WatchdogMessage): void => parentPort?.postMessage(message);

  let beats = Atomics.load(shared, 0);
  let polledAt = performance.now();
  let stuckMs = 0;
  let stack: string | undefined;
  let sampled = false;
  let said = false;

  const poll = (): void => {
    const now = performance.now();
    // While this thread did not run either, the whole process was stopped: that is no stall.
    const elapsedMs = Math.min(now - polledAt, 2 * pollMs);
    polledAt = now;
    const seen = Atomics.load(shared, 0);
    if (seen !== beats) {
      beats = seen;
      if (stuckMs >= sampleMs)
        tell({ kind: 'stall', durationMs: stuckMs, failed: stuckMs >= stallMs, stack });
      stuckMs = 0;
      stack = undefined;
      sampled = false;
      said = false;
      return;
    }
    stuckMs += elapsedMs;
    if (stuckMs >= sampleMs && !sampled) {
      sampled = true;
      sample();
    }
    if (stuckMs >= stallMs && !said) {
      said = true;
      say();
    }
  };

  /** The stack of the main thread: V8 interrupts it even in an endless loop, though not in native code. */
  const sample = (): void => {
    try {
      const session = new Session();
      session.connectToMainThread();
      // V8 sends the URL of a script once, when it is parsed or the debugger is enabled.
      const urls = new Map<string, string>();
      session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
      session.on('Debugger.paused', ({ params }) => {
        stack = params.callFrames
          .slice(0, 50)
          .map(({ functionName, url, location }) => {
            const script = url || (urls.get(location.scriptId) ?? '');
            const at = `${script}:${location.lineNumber + 1}:${(location.columnNumber ?? 0) + 1}`;
            return `    at ${functionName || '<anonymous>'} (${at})`;
          })
          .join('\n');
        session.post('Debugger.resume');
        session.post('Debugger.disable');
        session.disconnect();
      });
      session.post('Debugger.enable');
      session.post('Debugger.pause');
    } catch {
      stack = undefined; // no inspector in this build of Node
    }
  };

  /** The main thread may never come back to say it. */
  const say = (): void => {
    const where = stack === undefined ? '' : `\n${stack}`;
    const text = `${owner}: the event loop has been stuck for ${Math.round(stuckMs)} ms; liveness fails.${where}\n`;
    try {
      writeSync(2, text);
    } catch {
      // standard error is closed or full
    }
  };

  setInterval(poll, pollMs);

  const server = createServer((request, response) => {
    const { method, url = '/' } = request;
    const answer = (status: number, body: string, headers = {}): void => {
      response.writeHead(status, {
        'content-type': 'text/plain; charset=utf-8',
        'content-length': Buffer.byteLength(body),
        'cache-control': 'no-store',
        ...headers,
      });
      response.end(method === 'HEAD' ? '' : body);
    };
    if (url.split('?', 1)[0] !== path) return answer(404, '');
    if (method !== 'GET' && method !== 'HEAD') return answer(405, '', { allow: 'GET, HEAD' });
    const healthy = stuckMs < stallMs && Atomics.load(shared, 1) === 0;
    return healthy ? answer(200, 'ok\n') : answer(503, 'unhealthy\n');
  });
  server.on('error', (error: NodeJS.ErrnoException) => {
    tell({ kind: 'error', message: error.message, code: error.code });
  });
  server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
    const address = server.address();
    tell({ kind: 'listening', port: typeof address === 'object' ? (address?.port ?? port) : port });
  });
}
