import { type Clock, systemClock } from '@temper/core';
import { clockRule, numberRule, resolveOptions, safeText, typeRule } from '@temper/core/policy';
import { boundedFetch, httpUrl } from '../bounded-fetch.ts';
import { textRule } from '../option-rules.ts';
import type { ShippedEvent, ShipTarget } from './ship-target.ts';

/** Largest answer of a collector, in bytes. */
const MAX_ANSWER_BYTES = 65_536;

/** Options of {@link httpCollector}. */
export interface HttpCollectorOptions {
  /** URL of the collector, for Splunk `https://host:8088/services/collector/event`. */
  readonly url: string;
  /** Token of the HTTP Event Collector. */
  readonly token: string;
  /** @defaultValue the host of the URL */
  readonly name?: string;
  /** Index to store the events in. @defaultValue that of the token */
  readonly index?: string;
  /** @defaultValue 'temper:audit' */
  readonly sourcetype?: string;
  /** Further fields of every event, at the top level, such as `host`. @defaultValue none */
  readonly metadata?: Readonly<Record<string, string>>;
  /**
   * Longest duration of one request, in milliseconds.
   *
   * @defaultValue 20_000
   * @throws {RangeError} at construction, unless >= 1
   */
  readonly timeoutMs?: number;
  /** @defaultValue the system clock */
  readonly clock?: Clock;
}

/**
 * A target that speaks the protocol of Splunk's HTTP Event Collector: a batch is one request, of one JSON
 * object for each event. A batch is stored when the answer has the status 200 and the code 0.
 *
 * @throws {TypeError | RangeError} if an option is invalid
 * @see https://docs.splunk.com/Documentation/Splunk/latest/Data/FormateventsforHTTPEventCollector
 */
export function httpCollector(options: HttpCollectorOptions): ShipTarget {
  const OWNER = 'httpCollector';
  const { url, token, name, index, sourcetype, metadata, timeoutMs, clock } = resolveOptions<
    HttpCollectorOptions,
    'url' | 'token' | 'name' | 'index'
  >(
    OWNER,
    options,
    { sourcetype: 'temper:audit', metadata: {}, timeoutMs: 20_000, clock: systemClock },
    {
      url: textRule,
      token: textRule,
      name: textRule,
      index: textRule,
      sourcetype: textRule,
      metadata: typeRule('object'),
      timeoutMs: numberRule({ min: 1, infinite: false }),
      clock: clockRule,
    },
  );
  const address = httpUrl(OWNER, url);
  textRule(OWNER, 'token', token);
  const headers = { authorization: `Splunk ${token}`, 'content-type': 'application/json' };
  const common = { sourcetype, ...(index === undefined ? {} : { index }), ...metadata };
  return {
    name: name ?? new URL(address).host,
    async send(batch, signal) {
      const body = batch.map((shipped) => record(shipped, common)).join('\n');
      const answer = await boundedFetch(
        address,
        { method: 'POST', body, headers },
        { clock, timeoutMs, maxBytes: MAX_ANSWER_BYTES, signal },
      );
      if (answer.status === 200 && isSuccess(answer.body)) return;
      throw new Error(`it answered ${answer.status}: ${safeText(answer.body.trim(), 200)}`);
    },
  };
}

/** The line is put in as it is, so that the collector gets the bytes that were hashed. */
function record({ event, line }: ShippedEvent, common: object): string {
  const time = (Date.parse(event.timestamp) / 1_000).toFixed(3);
  const rest = JSON.stringify({ ...common, source: event.log }).slice(1);
  return `{"time":${time},"event":${line},${rest}`;
}

function isSuccess(body: string): boolean {
  try {
    return (JSON.parse(body) as { code?: unknown }).code === 0;
  } catch {
    return false;
  }
}
