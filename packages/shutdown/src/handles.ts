import { ChildProcess } from 'node:child_process';
import { Server, Socket } from 'node:net';
import { safeText } from '@temper/core/policy';

/** The list of open handles is an undocumented API of Node, which may be absent. */
interface ProcessInternals {
  _getActiveHandles?: () => unknown[];
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

/** Lists what keeps the event loop alive: a short description of each kind, with a count. */
export function describeActiveHandles(): string[] {
  const handles = activeHandles();
  const described = handles?.filter((handle) => !isStandardStream(handle)).map(describe) ?? [];
  // The documented list has names only, but also covers timers and pending requests.
  const named = process
    .getActiveResourcesInfo()
    .filter((resource) => handles === undefined || !HANDLE_TYPES.has(resource))
    .map((resource) => NAMES[resource] ?? resource);
  const counts = new Map<string, number>();
  for (const what of [...described, ...named].map((each) => safeText(each, 160))) {
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].map(([what, times]) => (times === 1 ? what : `${times} × ${what}`));
}

const NAMES: Readonly<Record<string, string>> = { Timeout: 'timer', Immediate: 'immediate' };

/** Undefined if this version of Node does not provide the list. */
function activeHandles(): readonly unknown[] | undefined {
  try {
    return (process as ProcessInternals)._getActiveHandles?.();
  } catch {
    return undefined;
  }
}

/** Standard streams stay open for the lifetime of the process and do not keep it alive. */
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
    return 'unknown handle';
  }
}

function addressOf(address: ReturnType<Server['address']>): string {
  if (address === null) return 'no address';
  return typeof address === 'string' ? address : `${address.address}:${address.port}`;
}
