import type { IncomingHttpHeaders } from 'node:http';

/** Reads a header of a request to a Node server, several lines of it joined. */
export function headerOf(headers: IncomingHttpHeaders): (name: string) => string | undefined {
  return (name) => {
    const value = headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  };
}
