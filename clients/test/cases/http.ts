import type { RequestListener } from 'node:http';
import axios from 'axios';
import got from 'got';
import ky from 'ky';
import nodeFetch from 'node-fetch';
import superagent from 'superagent';
import * as undici from 'undici';
import {
  answering,
  closedPort,
  cutting,
  type ErrorCase,
  silent,
  thrownBy,
  type Verdict,
  withHttp,
} from '../case.ts';

/** What each client of HTTP does: it asks for JSON, and rejects. */
interface HttpClient {
  readonly client: string;
  readonly get: (
    url: string,
    options: { signal?: AbortSignal; timeoutMs?: number },
  ) => Promise<unknown>;
  /** What {@link identify} gives for each error; a name is missing where the client throws none. */
  readonly errors: Readonly<Partial<Record<keyof typeof HAPPENINGS, string>>>;
}

interface Happening {
  readonly happened: string;
  readonly verdict: Verdict;
  readonly retryAfterMs?: number;
  readonly note?: string;
  readonly listener?: RequestListener;
  readonly url?: string;
  readonly timeoutMs?: number;
  readonly aborts?: boolean;
}

const HAPPENINGS = {
  refused: { happened: 'the connection is refused', verdict: 'retry overload failure' },
  unknownHost: {
    happened: 'the name of the host is not known',
    verdict: 'retry overload failure',
    url: 'http://no-such-host.invalid/',
    note: 'A typing mistake and a name server that has just been restarted look the same; a bounded number of attempts does no harm.',
  },
  hangUp: {
    happened: 'the server hangs up before it answers',
    verdict: 'retry overload failure',
    listener: (request) => request.socket.destroy(),
  },
  cut: {
    happened: 'the connection breaks in the middle of the body',
    verdict: 'retry overload failure',
    listener: cutting,
  },
  late: {
    happened: "the client's timeout ran out",
    verdict: 'retry overload failure',
    listener: silent,
    timeoutMs: 100,
  },
  busy: {
    happened: 'HTTP 503 with Retry-After: 3',
    verdict: 'retry overload failure',
    retryAfterMs: 3000,
    listener: answering(503, '{}', { 'retry-after': '3' }),
  },
  limited: {
    happened: 'HTTP 429 with Retry-After as a date',
    verdict: 'retry overload failure',
    retryAfterMs: 60_000,
    listener: answering(429, '{}', { 'Retry-After': 'Sun, 29 Nov 2026 12:01:00 GMT' }),
  },
  broken: {
    happened: 'HTTP 500',
    verdict: 'retry failure',
    listener: answering(500, '{}'),
  },
  missing: { happened: 'HTTP 404', verdict: 'mistake', listener: answering(404, '{}') },
  denied: { happened: 'HTTP 401', verdict: 'mistake', listener: answering(401, '{}') },
  garbage: {
    happened: 'HTTP 200 with HTML where JSON was expected',
    verdict: 'failure',
    listener: answering(200, '<h1>Welcome</h1>', { 'content-type': 'application/json' }),
    note: 'The dependency did not do its work. Whether it will a little later cannot be told.',
  },
  corrupt: {
    happened: 'a compressed body that cannot be decompressed',
    verdict: 'failure',
    listener: answering(200, '{"not":"gzip"}', { 'content-encoding': 'gzip' }),
    note: 'As above.',
  },
  nowhere: {
    happened: 'a redirect to what is no URL',
    verdict: 'failure',
    listener: answering(302, '', { location: 'http://[broken' }),
    note: 'A bad answer of the server, though the URL is as bad as that of a caller.',
  },
  circle: {
    happened: 'redirects in a circle',
    verdict: 'failure',
    listener: answering(302, '', { location: '/' }),
  },
  noHttp: {
    happened: 'what answers does not speak HTTP',
    verdict: 'failure',
    listener: ({ socket }) => socket.end('220 mail.example\r\n'),
  },
  badUrl: {
    happened: 'a URL that cannot be parsed',
    verdict: 'mistake',
    url: 'http://[broken',
  },
  aborted: {
    happened: 'the signal of the call was aborted',
    verdict: 'abort',
    listener: silent,
    aborts: true,
  },
} satisfies Record<string, Happening>;

const CLIENTS: readonly HttpClient[] = [
  {
    client: 'axios',
    get: (url, { signal, timeoutMs = 0 }) =>
      axios.get(url, {
        responseType: 'json',
        timeout: timeoutMs,
        transitional: { silentJSONParsing: false },
        ...(signal === undefined ? {} : { signal }),
      }),
    errors: {
      refused: 'AxiosError ECONNREFUSED',
      unknownHost: 'AxiosError ENOTFOUND',
      hangUp: 'AxiosError ECONNRESET',
      cut: 'AxiosError ERR_BAD_RESPONSE',
      late: 'AxiosError ECONNABORTED',
      busy: 'AxiosError ERR_BAD_RESPONSE',
      limited: 'AxiosError ERR_BAD_REQUEST',
      broken: 'AxiosError ERR_BAD_RESPONSE',
      missing: 'AxiosError ERR_BAD_REQUEST',
      denied: 'AxiosError ERR_BAD_REQUEST',
      garbage: 'SyntaxError ERR_BAD_RESPONSE',
      corrupt: 'AxiosError Z_DATA_ERROR',
      nowhere: 'Error [ERR_FR_REDIRECTION_FAILURE] ERR_FR_REDIRECTION_FAILURE',
      circle: 'Error [ERR_FR_TOO_MANY_REDIRECTS] ERR_FR_TOO_MANY_REDIRECTS',
      noHttp: 'AxiosError HPE_INVALID_CONSTANT',
      badUrl: 'TypeError ERR_INVALID_URL',
      aborted: 'CanceledError ERR_CANCELED',
    },
  },
  {
    client: 'got',
    get: (url, { signal, timeoutMs }) =>
      got(url, {
        retry: { limit: 0 },
        ...(timeoutMs === undefined ? {} : { timeout: { request: timeoutMs } }),
        ...(signal === undefined ? {} : { signal }),
      }).json(),
    errors: {
      refused: 'RequestError ECONNREFUSED',
      unknownHost: 'RequestError ENOTFOUND',
      hangUp: 'RequestError ECONNRESET',
      cut: 'ReadError ERR_HTTP_CONTENT_LENGTH_MISMATCH',
      late: 'TimeoutError ETIMEDOUT',
      busy: 'HTTPError ERR_NON_2XX_3XX_RESPONSE',
      limited: 'HTTPError ERR_NON_2XX_3XX_RESPONSE',
      broken: 'HTTPError ERR_NON_2XX_3XX_RESPONSE',
      missing: 'HTTPError ERR_NON_2XX_3XX_RESPONSE',
      denied: 'HTTPError ERR_NON_2XX_3XX_RESPONSE',
      garbage: 'ParseError ERR_BODY_PARSE_FAILURE',
      corrupt: 'ReadError ERR_READING_RESPONSE_STREAM',
      circle: 'MaxRedirectsError ERR_TOO_MANY_REDIRECTS',
      noHttp: 'RequestError HPE_INVALID_CONSTANT',
      badUrl: 'RequestError ERR_INVALID_URL',
      aborted: 'AbortError ERR_ABORTED',
    },
  },
  {
    client: 'ky',
    get: (url, { signal, timeoutMs }) =>
      ky(url, {
        retry: 0,
        timeout: timeoutMs ?? false,
        ...(signal === undefined ? {} : { signal }),
      }).json(),
    errors: {
      refused: 'NetworkError',
      unknownHost: 'NetworkError',
      hangUp: 'NetworkError',
      cut: 'TypeError',
      late: 'TimeoutError',
      busy: 'HTTPError',
      limited: 'HTTPError',
      broken: 'HTTPError',
      missing: 'HTTPError',
      denied: 'HTTPError',
      garbage: 'SyntaxError',
      corrupt: 'TypeError',
      nowhere: 'NetworkError',
      circle: 'NetworkError',
      noHttp: 'NetworkError',
      badUrl: 'TypeError',
      aborted: 'AbortError',
    },
  },
  {
    client: 'fetch of Node',
    get: async (url, { signal, timeoutMs }) => {
      const told = timeoutMs === undefined ? signal : AbortSignal.timeout(timeoutMs);
      return (await fetch(url, told === undefined ? {} : { signal: told })).json();
    },
    errors: {
      refused: 'TypeError',
      unknownHost: 'TypeError',
      hangUp: 'TypeError',
      cut: 'TypeError',
      late: 'TimeoutError',
      garbage: 'SyntaxError',
      corrupt: 'TypeError',
      nowhere: 'TypeError',
      circle: 'TypeError',
      noHttp: 'TypeError',
      badUrl: 'TypeError',
      aborted: 'AbortError',
    },
  },
  {
    client: 'undici',
    get: async (url, { signal, timeoutMs }) => {
      const dispatcher = new undici.Agent(
        timeoutMs === undefined ? {} : { headersTimeout: timeoutMs },
      ).compose(undici.interceptors.responseError());
      const { body } = await undici.request(url, { dispatcher, signal: signal ?? null });
      return body.json();
    },
    errors: {
      refused: 'Error ECONNREFUSED',
      unknownHost: 'Error ENOTFOUND',
      hangUp: 'SocketError UND_ERR_SOCKET',
      cut: 'SocketError UND_ERR_SOCKET',
      late: 'HeadersTimeoutError UND_ERR_HEADERS_TIMEOUT',
      busy: 'ResponseError UND_ERR_RESPONSE',
      limited: 'ResponseError UND_ERR_RESPONSE',
      broken: 'ResponseError UND_ERR_RESPONSE',
      missing: 'ResponseError UND_ERR_RESPONSE',
      denied: 'ResponseError UND_ERR_RESPONSE',
      garbage: 'SyntaxError',
      badUrl: 'TypeError ERR_INVALID_URL',
      aborted: 'AbortError',
    },
  },
  {
    client: 'node-fetch',
    get: async (url, { signal }) =>
      (await nodeFetch(url, signal === undefined ? {} : { signal })).json(),
    errors: {
      refused: 'FetchError ECONNREFUSED',
      unknownHost: 'FetchError ENOTFOUND',
      hangUp: 'FetchError ECONNRESET',
      cut: 'FetchError ECONNRESET',
      garbage: 'SyntaxError',
      corrupt: 'FetchError Z_DATA_ERROR',
      nowhere: 'FetchError',
      circle: 'FetchError',
      noHttp: 'FetchError HPE_INVALID_CONSTANT',
      badUrl: 'TypeError ERR_INVALID_URL',
      aborted: 'AbortError',
    },
  },
  {
    client: 'superagent',
    get: (url, { signal, timeoutMs }) => {
      const request = superagent.get(url);
      if (timeoutMs !== undefined) request.timeout(timeoutMs);
      // Without the braces Node would take the request, which is thenable, for a promise to watch.
      signal?.addEventListener('abort', () => {
        request.abort();
      });
      return Promise.resolve(request);
    },
    errors: {
      refused: 'Error ECONNREFUSED',
      unknownHost: 'Error ENOTFOUND',
      hangUp: 'Error ECONNRESET',
      cut: 'Error ECONNRESET',
      late: 'Error ECONNABORTED',
      busy: 'Error',
      limited: 'Error',
      broken: 'Error',
      missing: 'Error',
      denied: 'Error',
      garbage: 'SyntaxError',
      corrupt: 'Error Z_DATA_ERROR',
      noHttp: 'Error HPE_INVALID_CONSTANT',
      badUrl: 'TypeError ERR_INVALID_URL',
      aborted: 'Error ABORTED',
    },
  },
];

/** What only one client does. */
const PECULIAR: readonly ErrorCase[] = [
  {
    client: 'node-fetch',
    error: 'AbortError',
    happened: 'the `AbortSignal.timeout` of the call ran out',
    verdict: 'abort',
    note: 'node-fetch drops the reason of the signal, so that a timeout looks like an abort. Use the policy `timeout()`, which knows.',
    provoke: () =>
      withHttp(silent, (url) => thrownBy(nodeFetch(url, { signal: AbortSignal.timeout(100) }))),
  },
];

export const httpCases: readonly ErrorCase[] = [
  ...PECULIAR,
  ...CLIENTS.flatMap(({ client, get, errors }) =>
    Object.entries(HAPPENINGS).flatMap(([key, happening]): ErrorCase[] => {
      const error = errors[key as keyof typeof HAPPENINGS];
      if (error === undefined) return [];
      const { listener, url, timeoutMs, aborts, ...words }: Happening = happening;
      const options = timeoutMs === undefined ? {} : { timeoutMs };
      const provoke: ErrorCase['provoke'] = async (signal, abort) => {
        if (url !== undefined) return await thrownBy(call(get, url, options));
        if (listener === undefined) {
          return await thrownBy(get(`http://127.0.0.1:${await closedPort()}/`, options));
        }
        const answer: RequestListener = aborts === true ? () => abort() : listener;
        return await withHttp(answer, (base) =>
          thrownBy(get(`${base}/`, aborts === true ? { signal } : options)),
        );
      };
      return [{ client, error, ...words, provoke }];
    }),
  ),
];

/** A client that throws instead of rejecting. */
async function call(get: HttpClient['get'], url: string, options: object): Promise<unknown> {
  return await get(url, options);
}
