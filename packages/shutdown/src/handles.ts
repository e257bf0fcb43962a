import { ChildProcess } from 'node:child_process';
import { Server, Socket } from 'node:net';

/** What Node knows of open handles, undocumented and therefore asked for with care. */
interface ProcessInternals {
  _getActiveHandles?: () => unknown[];
}

/** Names in the documented list that stand for what `_getActiveHandles` tells more about. */
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

/** Says what keeps the event loop from ending, each kind in a few words, with a count. */
export function describeActiveHandles(): string[] {
  const handles = activeHandles();
  const described = handles?.filter((handle) => !isStandardStream(handle)).map(describe) ?? [];
  // The documented list has names only, but also what is no handle: timers, and requests under way.
  const named = process
    .getActiveResourcesInfo()
    .filter((resource) => handles === undefined || !HANDLE_TYPES.has(resource))
    .map((resource) => NAMES[resource] ?? resource);
  const counts = new Map<string, number>();
  for (const what of [...described, ...named]) counts.set(what, (counts.get(what) ?? 0) + 1);
  return [...counts].map(([what, times]) => (times === 1 ? what : `${times} × ${what}`));
}

const NAMES: Readonly<Record<string, string>> = { Timeout: 'timer', Immediate: 'immediate' };

/** Undefined where Node does not tell. */
function activeHandles(): readonly unknown[] | undefined {
  try {
    return (process as ProcessInternals)._getActiveHandles?.();
  } catch {
    return undefined;
  }
}

/** Open as long as the process is, and held by nobody. */
function isStandardStream(handle: unknown): boolean {
  const fd = (handle as { fd?: unknown } | null)?.fd;
  return fd === 0 || fd === 1 || fd === 2;
}

function describe(handle: unknown): string {
  try {
    if (handle instanceof Server) return `server on ${addressOf(handle.address())}`;
    if (handle instanceof Socket) {
      const { remoteAddress, remotePort, localPort } = handle;
      return remoteAddress === undefined
        ? 'socket'
        : `socket to ${remoteAddress}:${remotePort} from port ${localPort}`;
    }
    if (handle instanceof ChildProcess) return `child process ${handle.pid} (${handle.spawnfile})`;
    return (handle as object).constructor.name;
  } catch {
    return 'a handle that cannot be shown';
  }
}

function addressOf(address: ReturnType<Server['address']>): string {
  if (address === null) return 'nothing';
  return typeof address === 'string' ? address : `${address.address}:${address.port}`;
}
