import type { OutgoingHttpHeader, OutgoingHttpHeaders, ServerResponse } from 'node:http';

/** Removes the replaced method of each marked response. */
const marks = new WeakMap<ServerResponse, () => void>();

const isKeepAlive = (value: unknown): boolean => /^\s*keep-alive\s*$/i.test(String(value));

/**
 * Makes a response say `Connection: close`, also if the application sets `keep-alive`, as code for
 * server-sent events often does: its client would send requests forever. Any other value of the
 * application remains. The headers must not have been sent.
 */
export function markClose(response: ServerResponse): void {
  response.setHeader('Connection', 'close');
  if (marks.has(response)) return;
  const own = Object.getOwnPropertyDescriptor(response, 'writeHead');
  const original = response.writeHead as (...args: unknown[]) => ServerResponse;
  // Node calls it too, when the application does not.
  const replacement = (...args: unknown[]): ServerResponse => {
    marks.get(response)?.();
    if (isKeepAlive(response.getHeader('Connection'))) response.setHeader('Connection', 'close');
    return original.apply(response, args.map(withoutKeepAlive));
  };
  const descriptor = { value: replacement, configurable: true, writable: true };
  Object.defineProperty(response, 'writeHead', descriptor);
  marks.set(response, () => {
    marks.delete(response);
    if ((response.writeHead as unknown) !== replacement) return;
    if (own === undefined) Reflect.deleteProperty(response, 'writeHead');
    else Object.defineProperty(response, 'writeHead', own);
  });
}

/** Undoes {@link markClose}, unless the headers were sent. */
export function unmarkClose(response: ServerResponse): void {
  marks.get(response)?.();
  if (response.headersSent) return;
  if (response.getHeader('Connection') === 'close') response.removeHeader('Connection');
}

/** The headers that were passed to `writeHead`, without `Connection: keep-alive`. Never changes them. */
function withoutKeepAlive(argument: unknown): unknown {
  if (typeof argument !== 'object' || argument === null) return argument;
  const isOurs = (name: unknown, value: unknown): boolean =>
    String(name).toLowerCase() === 'connection' && isKeepAlive(value);
  if (Array.isArray(argument)) {
    // Names and values in turn.
    return (argument as OutgoingHttpHeader[]).filter((_, at, list) => {
      const first = at - (at % 2);
      return !isOurs(list[first], list[first + 1]);
    });
  }
  const entries = Object.entries(argument as OutgoingHttpHeaders);
  if (!entries.some(([name, value]) => isOurs(name, value))) return argument;
  return Object.fromEntries(entries.filter(([name, value]) => !isOurs(name, value)));
}
