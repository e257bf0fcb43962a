/** How a call ended for its caller. */
export type CallEnd =
  /** With an answer of the dependency, in time. */
  | 'answered'
  /** With anything else, in time: the answer of a fallback, or an old one of a cache. */
  | 'degraded'
  /** With a value after its `timeoutMs`. */
  | 'late'
  /** With an error. */
  | 'failed'
  /** After its caller had aborted it. */
  | 'aborted';

/** Something that happened, at so many milliseconds since the start. Calls and requests are numbered from 0. */
export type TraceEvent = { readonly atMs: number } & (
  | { readonly type: 'call'; readonly call: number }
  /** A call has sent a request, by calling the operation. */
  | { readonly type: 'request'; readonly call: number; readonly request: number }
  /** The dependency got a request. One that is duplicated arrives twice. */
  | { readonly type: 'arrival'; readonly request: number }
  | { readonly type: 'answer'; readonly request: number; readonly ok: boolean }
  | {
      readonly type: 'end';
      readonly call: number;
      readonly end: CallEnd;
      /** The code or name of the error. */
      readonly error?: string;
    }
);

/** The code of an error, or its name. */
export function errorLabel(error: unknown): string {
  if (typeof error !== 'object' || error === null) return String(error);
  const { code, status, name } = error as { code?: unknown; status?: unknown; name?: unknown };
  return String(code ?? status ?? name ?? 'error');
}
