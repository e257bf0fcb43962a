import { ChildProcess } from 'node:child_process';
import type { Socket as UdpSocket } from 'node:dgram';
import { subscribe } from 'node:diagnostics_channel';
import { Server, Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { builtinModule, safeText } from '@temper/core/policy';
import { placeOf, placesOfTimers } from './creation-stacks.ts';

/** The list of open handles is an undocumented API of Node, which may be absent. */
interface ProcessInternals {
  _getActiveHandles?: () => unknown[];
}

/** Between a description and its place. */
export const CREATED_AT = ', created at ';

/** Worker threads that run. Node lists them nowhere. */
const workers = new Set<Worker>();
let watching = false;

/** Remembers the worker threads that start from now on, so that they can be named. */
export function watchWorkers(): void {
  if (watching) return;
  watching = true;
  subscribe('worker_threads', (message) => {
    const { worker } = message as { worker?: unknown };
    if (!(worker instanceof Worker)) return;
    workers.add(worker);
    worker.once('exit', () => workers.delete(worker));
  });
}

/** Names in the documented list for which `_getActiveHandles` gives more detail. */
const HANDLE_TYPES: ReadonlySet<string> = new Set([
  'FSEventWrap',
  'PipeServerWrap',
  'PipeWrap',
  'ProcessWrap',
  'TCPServerWrap',
  'TCPSocketWrap',
  'TTYWrap',
  'UDPWrap',
]);

/** Longest description, in UTF-16 code units. */
const MAX_LENGTH = 160;
/** With the place of creation. */
export const MAX_PLACED_LENGTH: number = 600;

/**
 * Lists what keeps the event loop alive: a short description of each kind, with a count, and with the
 * place of creation where it was recorded.
 */
export function describeActiveHandles(): string[] {
  const handles = activeHandles();
  const described =
    handles
      ?.filter((handle) => !isIdleStandardStream(handle))
      .map((handle) => withPlace(describe(handle), placeOf(handle))) ?? [];
  for (const worker of [...workers].filter(keepsAlive)) {
    described.push(withPlace(describeWorker(worker), placeOf(worker)));
  }
  const places = placesOfTimers().filter((place) => place !== undefined);
  // The documented list has names only, but also covers timers and pending requests.
  const named = process
    .getActiveResourcesInfo()
    .filter((resource) => handles === undefined || !HANDLE_TYPES.has(resource))
    .map((resource) => {
      const place = resource === 'Timeout' ? places.pop() : undefined;
      return withPlace(NAMES[resource] ?? resource, place);
    });
  const counts = new Map<string, number>();
  for (const what of [...described, ...named]) {
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, times]) => (times === 1 ? what : `${times} × ${what}`));
}

function withPlace(what: string, place: string | undefined): string {
  return place === undefined
    ? safeText(what, MAX_LENGTH)
    : safeText(`${safeText(what, MAX_LENGTH)}${CREATED_AT}${place}`, MAX_PLACED_LENGTH);
}

const NAMES: Readonly<Record<string, string>> = {
  Timeout: 'timer',
  Immediate: 'immediate',
  // To the parent process, or to a child process that was forked.
  Pipe: 'IPC channel',
};

/** The open handles. Undefined if this version of Node does not provide the list. */
export function activeHandles(): readonly unknown[] | undefined {
  try {
    return (process as ProcessInternals)._getActiveHandles?.();
  } catch {
    return undefined;
  }
}

/**
 * Standard streams stay open for the lifetime of the process and do not keep it alive, except for an
 * input that is being read.
 */
function isIdleStandardStream(handle: unknown): boolean {
  const stream = handle as { fd?: unknown; _handle?: { reading?: unknown } | null } | null;
  if (stream?.fd === 0) return stream._handle?.reading !== true;
  return stream?.fd === 1 || stream?.fd === 2;
}

/** Node before version 24 does not say whether a worker was unreferenced. */
function keepsAlive(worker: Worker & { hasRef?: () => boolean }): boolean {
  return worker.hasRef?.() ?? true;
}

function describeWorker(worker: Worker & { readonly threadName?: string | null }): string {
  const name = worker.threadName ? ` (${worker.threadName})` : '';
  return `worker thread ${worker.threadId}${name}`;
}

function describe(handle: unknown): string {
  try {
    if (handle instanceof Server) return `server on ${addressOf(handle.address())}`;
    if (handle instanceof Socket) {
      const { remoteAddress, remotePort, localPort } = handle;
      if ((handle as { fd?: unknown }).fd === 0) return 'standard input';
      return remoteAddress === undefined
        ? 'socket'
        : `socket to ${remoteAddress}:${remotePort} from port ${localPort}`;
    }
    const dgram = builtinModule<{ readonly Socket: typeof UdpSocket }>('node:dgram');
    if (dgram !== undefined && handle instanceof dgram.Socket) return 'UDP socket';
    if (handle instanceof ChildProcess) return `child process ${handle.pid} (${handle.spawnfile})`;
    const { name } = (handle as object).constructor;
    return NAMES[name] ?? name;
  } catch {
    return 'unknown handle';
  }
}

function addressOf(address: ReturnType<Server['address']>): string {
  if (address === null) return 'no address';
  return typeof address === 'string' ? address : `${address.address}:${address.port}`;
}
