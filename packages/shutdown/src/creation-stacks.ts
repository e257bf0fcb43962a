import type { AsyncHook, createHook } from 'node:async_hooks';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { fileURLToPath } from 'node:url';
import { builtinModule } from '@temper/core/policy';

/** Resources that can keep the event loop alive for long, as `async_hooks` names them. */
const TYPES: ReadonlySet<string> = new Set([
  'FSEVENTWRAP',
  'PIPESERVERWRAP',
  'PIPEWRAP',
  'PROCESSWRAP',
  'TCPSERVERWRAP',
  'TCPWRAP',
  'TLSWRAP',
  'TTYWRAP',
  'Timeout',
  'UDPWRAP',
]);

/** Frames to record for each resource, most of which may be Node's own. */
const MAX_FRAMES = 30;
/** Frames to show. */
const SHOWN_FRAMES = 3;

/** Where each resource was created. V8 formats the stack when it is read. */
const places = new WeakMap<object, Error>();
/** Timers that were created and not destroyed. Node lists them nowhere. */
const timers = new Map<number, WeakRef<object>>();
let hook: AsyncHook | undefined;
let users = 0;

/**
 * Records the stack above a function as the place where an object was created, with more frames than the
 * application may have asked for.
 */
function record(created: object, above: (...args: never[]) => unknown): void {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = MAX_FRAMES;
  const error = new Error();
  Error.captureStackTrace(error, above);
  Error.stackTraceLimit = stackTraceLimit;
  places.set(created, error);
}

const onWorker = (message: unknown): void => {
  const { worker } = message as { worker?: object };
  if (worker !== undefined) record(worker, onWorker);
};

const onInit = (id: number, type: string, _trigger: number, resource: object): void => {
  if (!TYPES.has(type)) return;
  record(resource, onInit);
  if (type === 'Timeout') timers.set(id, new WeakRef(resource));
};

/**
 * Remembers where timers, sockets, servers, child processes and worker threads are created from now on,
 * until the result is disposed.
 */
export function recordCreation(): Disposable {
  if (users++ === 0) {
    const hooks = builtinModule<{ createHook: typeof createHook }>('node:async_hooks');
    hook ??= hooks?.createHook({
      init: onInit,
      destroy: (id) => void timers.delete(id),
    });
    hook?.enable();
    subscribe('worker_threads', onWorker);
  }
  let disposed = false;
  return {
    [Symbol.dispose]: () => {
      if (disposed) return;
      disposed = true;
      if (--users > 0) return;
      hook?.disable();
      timers.clear();
      unsubscribe('worker_threads', onWorker);
    },
  };
}

/**
 * Records the caller of a function as where an object was created, while anybody records.
 *
 * @param above - the function that was called to create it
 */
export function recordPlace(created: object, above: (...args: never[]) => unknown): void {
  if (users > 0) record(created, above);
}

/**
 * Where an object was created: the innermost frames of the application, or of a package if there is
 * none of the application.
 *
 * @returns undefined if it was not recorded, or only by code of Node
 */
export function placeOf(created: unknown): string | undefined {
  if (typeof created !== 'object' || created === null) return undefined;
  const { _handle: handle } = created as { readonly _handle?: unknown };
  const error =
    places.get(created) ??
    (typeof handle === 'object' && handle !== null ? places.get(handle) : undefined);
  return error === undefined ? undefined : placeOfStack(error.stack ?? '');
}

/** Where each timer was created that keeps the event loop alive. Undefined for one that Node created. */
export function placesOfTimers(): (string | undefined)[] {
  const found: (string | undefined)[] = [];
  for (const reference of timers.values()) {
    const timer = reference.deref() as (object & { hasRef?(): boolean }) | undefined;
    if (timer?.hasRef?.() === true) found.push(placeOf(timer));
  }
  return found;
}

function placeOfStack(stack: string): string | undefined {
  const frames = stack
    .split('\n')
    .slice(1)
    .map((line) => line.trim().replace(/^at (async )?/, ''))
    .map((frame) => frame.replace(/file:\/\/[^\s)]+/, readableUrl))
    .filter((frame) => !/\bnode:|<anonymous>\)?$|^native /.test(frame));
  const application = frames.filter((frame) => !/[\\/]node_modules[\\/]/.test(frame));
  const shown = (application.length > 0 ? application : frames).slice(0, SHOWN_FRAMES);
  return shown.length === 0 ? undefined : shown.join(' < ');
}

/** The path of a URL with line and column behind it. */
function readableUrl(url: string): string {
  const [, file = url, position = ''] = /^(.*?)((?::\d+){0,2})$/.exec(url) ?? [];
  try {
    return fileURLToPath(file) + position;
  } catch {
    return url;
  }
}
