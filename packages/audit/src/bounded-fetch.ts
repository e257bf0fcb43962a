import type { Clock } from '@temper/core';
import { textRule } from './option-rules.ts';

/** An answer, read to its end. */
export interface BoundedAnswer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

/** What a request may take. */
export interface FetchBounds {
  readonly clock: Clock;
  /** Longest time until the whole answer has arrived, in milliseconds. */
  readonly timeoutMs: number;
  /** Largest body of the answer, in bytes. */
  readonly maxBytes: number;
  /** Aborts the request. */
  readonly signal?: AbortSignal;
}

/**
 * Sends a request to a server that is not trusted: follows no redirect, and gives up when the answer
 * takes too long or is too large.
 *
 * @throws an error of `fetch`, or one that says what was exceeded
 */
export async function boundedFetch(
  url: string,
  init: Pick<RequestInit, 'method' | 'body' | 'headers'>,
  { clock, timeoutMs, maxBytes, signal }: FetchBounds,
): Promise<BoundedAnswer> {
  const aborted = new AbortController();
  const timer = clock.schedule(
    () => aborted.abort(new Error(`there was no answer within ${timeoutMs} ms`)),
    timeoutMs,
  );
  const either = signal === undefined ? aborted.signal : AbortSignal.any([aborted.signal, signal]);
  try {
    const response = await fetch(url, { ...init, redirect: 'error', signal: either });
    const { status, headers } = response;
    return {
      status,
      type: headers.get('content-type') ?? '',
      body: await read(response, maxBytes),
    };
  } finally {
    timer.cancel();
  }
}

async function read(response: Response, maxBytes: number): Promise<string> {
  if (response.body === null) return '';
  const chunks: Uint8Array[] = [];
  let size = 0;
  // Leaving the loop cancels the body.
  for await (const chunk of response.body) {
    size += chunk.length;
    if (size > maxBytes) throw new Error(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** @throws {TypeError} unless the text is an http or https URL without credentials, query or fragment */
export function httpUrl(owner: string, text: unknown): string {
  textRule(owner, 'url', text);
  const url = URL.canParse(text as string) ? new URL(text as string) : undefined;
  const plain =
    url !== undefined &&
    /^https?:$/.test(url.protocol) &&
    url.username === '' &&
    url.password === '' &&
    url.hash === '';
  if (!plain) {
    throw new TypeError(`${owner}: url must be an http or https URL without user info.`);
  }
  return (text as string).replace(/(?<!\/)\/+$/, '');
}
