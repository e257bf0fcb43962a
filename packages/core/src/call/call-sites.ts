import { isTemperError } from '../errors.ts';
import { processState } from '../process-state.ts';

const tracing: () => { enabled: boolean } = /* @__PURE__ */ processState('call-sites.1', () => ({
  enabled: false,
}));

/**
 * Whether errors of Temper show where their call was made. They carry no stack of their own, since a
 * rejection is an answer and not a bug, and a stack costs microseconds per call: with this, a stack is
 * recorded at the beginning of every call, and added to the Temper error that the call rejects with.
 * For development, and to find the origin of a fatal unhandled rejection. Applies to the whole process.
 */
export function traceCalls(enabled: boolean): void {
  tracing().enabled = enabled;
}

export function tracesCalls(): boolean {
  return tracing().enabled;
}

/** Adds the stack of the present call to the Temper error that it rejects with. */
export async function withCallSite<T>(call: () => Promise<T>): Promise<T> {
  const site = new Error();
  try {
    return await call();
  } catch (error) {
    addCallSite(error, site);
    throw error;
  }
}

function addCallSite(error: unknown, site: Error): void {
  try {
    if (!isTemperError(error) || HAS_FRAMES.test(error.stack ?? '')) return;
    const frames = site.stack?.split('\n').filter((line) => HAS_FRAMES.test(`\n${line}`)) ?? [];
    const value = [error.stack ?? `${error.name}: ${error.message}`, ...frames].join('\n');
    Object.defineProperty(error, 'stack', { value, writable: true, configurable: true });
  } catch {
    // A hostile getter, a frozen error, or somebody's Error.prepareStackTrace.
  }
}

const HAS_FRAMES = /\n[ \t]+at /;
