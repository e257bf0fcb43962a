import { type Clock, systemClock } from '@temper/core';
import {
  clockRule,
  messageOf,
  numberRule,
  resolveOptions,
  safeText,
  typeRule,
} from '@temper/core/policy';
import { type BoundedAnswer, boundedFetch, httpUrl } from '../bounded-fetch.ts';
import { textRule } from '../option-rules.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import { WitnessError } from './witness-error.ts';

/** Largest checkpoint that is read back, in bytes. */
const MAX_ANSWER_BYTES = 1_048_576;

/** Options of {@link httpStore}. */
export interface HttpStoreOptions {
  /** URL on another host: `POST` stores the note in the body, `GET` returns the last one or answers 404. */
  readonly url: string;
  /** Headers of each request, such as `authorization`. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * Longest duration of one request, in milliseconds.
   *
   * @defaultValue 10_000
   * @throws {RangeError} at construction, unless >= 1
   */
  readonly timeoutMs?: number;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

const OWNER = 'httpStore';

/**
 * Stores checkpoints on another host over HTTP.
 *
 * @throws {TypeError | RangeError} if an option is invalid
 */
export function httpStore(options: HttpStoreOptions): CheckpointStore {
  const { url, headers, ...bounds } = resolveOptions<HttpStoreOptions, 'url'>(
    OWNER,
    options,
    { headers: {}, timeoutMs: 10_000, clock: systemClock },
    {
      url: textRule,
      headers: typeRule('object'),
      timeoutMs: numberRule({ min: 1, infinite: false }),
      clock: clockRule,
    },
  );
  const address = httpUrl(OWNER, url);
  const name = new URL(address).host;
  const send = async (init: { method?: string; body?: string }): Promise<BoundedAnswer> => {
    try {
      const type = init.body === undefined ? {} : { 'content-type': 'text/plain; charset=utf-8' };
      return await boundedFetch(
        address,
        { ...init, headers: { ...type, ...headers } },
        { ...bounds, maxBytes: MAX_ANSWER_BYTES },
      );
    } catch (error) {
      const what = `it cannot be reached: ${messageOf(error)}`;
      throw new WitnessError(name, 'unavailable', what, error);
    }
  };
  const refused = ({ status, body }: BoundedAnswer): WitnessError =>
    new WitnessError(
      name,
      status >= 500 || status === 429 ? 'unavailable' : 'refused',
      `it answered ${status}: ${safeText(body.trim(), 200)}`,
    );
  return {
    name,
    async put(note) {
      const answer = await send({ method: 'POST', body: note });
      if (answer.status < 200 || answer.status > 299) throw refused(answer);
    },
    async *latest() {
      const answer = await send({});
      if (answer.status === 404) return;
      if (answer.status !== 200) throw refused(answer);
      yield answer.body;
    },
  };
}
