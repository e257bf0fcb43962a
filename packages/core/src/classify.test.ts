import { readFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import {
  type Classification,
  type ClassificationRule,
  classify,
  errorType,
  statusOf,
} from './classify.ts';
import { DeadlineExceededError, OperationTimeoutError } from './errors.ts';

const verdict = (error: unknown): string => {
  const { category, severity, transient } = classify(error);
  return `${category} ${severity}${transient ? ' transient' : ''}`;
};
const coded = (code: string): Error => Object.assign(new Error(`says ${code}`), { code });
const named = (name: string): Error => Object.assign(new Error(`a ${name}`), { name });

describe('classify by code', () => {
  it.each([
    ['ECONNREFUSED', 'network high transient'],
    ['ECONNRESET', 'network high transient'],
    ['EPIPE', 'network high transient'],
    ['ENOTFOUND', 'network high transient'],
    ['EAI_AGAIN', 'network high transient'],
    ['UND_ERR_SOCKET', 'network high transient'],
    ['ERR_NETWORK', 'network high transient'],
    ['CERT_HAS_EXPIRED', 'network high'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'network high'],
    ['HPE_INVALID_CHUNK_SIZE', 'network high'],
    ['UND_ERR_HEADERS_OVERFLOW', 'network high'],
    ['Z_DATA_ERROR', 'internal medium'],
    ['ERR__ERROR_FORMAT_PADDING_2', 'internal medium'],
    ['ZSTD_error_corruption_detected', 'internal medium'],
    ['ERR_TOO_MANY_REDIRECTS', 'internal medium'],
    ['ETIMEDOUT', 'timeout medium transient'],
    ['UND_ERR_HEADERS_TIMEOUT', 'timeout medium transient'],
    ['EMFILE', 'resource high transient'],
    ['EBUSY', 'resource high transient'],
    ['SQLITE_BUSY', 'resource high transient'],
    ['ENOSPC', 'resource critical'],
    ['ENOMEM', 'resource critical'],
    ['ENOENT', 'resource medium'],
    ['MODULE_NOT_FOUND', 'resource medium'],
    ['EACCES', 'resource high'],
    ['EINVAL', 'validation medium'],
    ['ERR_INVALID_URL', 'validation medium'],
    ['ERR_INVALID_ARG_TYPE', 'internal high'],
    ['ERR_INVALID_ARG_VALUE', 'internal high'],
    ['ERR_OUT_OF_RANGE', 'internal high'],
    ['SOMETHING_NEW', 'unknown medium'],
  ])('%s is %s', (code, expected) => {
    expect(verdict(coded(code))).toBe(expected);
  });

  it('is that of a redirect, not of the caller, when fetch has failed for a bad URL', () => {
    const cause = coded('ERR_INVALID_URL');
    expect(verdict(new TypeError('fetch failed', { cause }))).toBe('internal medium');
    expect(verdict(new TypeError('Failed to parse URL from [', { cause }))).toBe(
      'validation medium',
    );
  });

  it('is not needed of an answer that is no HTTP', () => {
    const cause = named('HTTPParserError');
    expect(verdict(new TypeError('fetch failed', { cause }))).toBe('network high');
  });
});

describe('classify by HTTP status', () => {
  it.each([
    [400, 'validation low'],
    [401, 'resource high'],
    [403, 'resource high'],
    [404, 'validation low'],
    [408, 'timeout medium transient'],
    [409, 'validation low'],
    [425, 'network low transient'],
    [429, 'resource medium transient'],
    [500, 'internal high transient'],
    [501, 'internal high'],
    [502, 'network high transient'],
    [503, 'network high transient'],
    [504, 'timeout medium transient'],
    [505, 'internal high'],
    [507, 'resource critical'],
    [599, 'internal high transient'],
    [200, 'unknown medium'],
    [304, 'unknown medium'],
    [600, 'unknown medium'],
    [99, 'unknown medium'],
    [503.5, 'unknown medium'],
  ])('%s is %s as status, statusCode and response.status', (status, expected) => {
    const error = (fields: object): Error => Object.assign(new Error('x'), fields);
    expect(verdict(error({ status }))).toBe(expected);
    expect(verdict(error({ statusCode: status }))).toBe(expected);
    expect(verdict(error({ response: { status, headers: {} } }))).toBe(expected);
  });

  it('accepts a Response', () => {
    expect(verdict(new Response('', { status: 503 }))).toBe('network high transient');
  });
});

describe('classify by name', () => {
  it.each([
    [new SyntaxError('x'), 'internal medium'],
    [new TypeError('x'), 'internal high'],
    [new RangeError('x'), 'internal high'],
    [named('AssertionError'), 'internal high'],
    [named('ZodError'), 'validation medium'],
    [new URIError('x'), 'validation medium'],
    [new ReferenceError('x'), 'internal high'],
    [new EvalError('x'), 'internal high'],
    [named('ValidationError'), 'validation medium'],
    [new DOMException('x', 'TimeoutError'), 'timeout medium transient'],
    [new DOMException('x', 'AbortError'), 'unknown low'],
    [new Error('x'), 'unknown medium'],
    [named('NobodyKnows'), 'unknown medium'],
  ])('%s is %s', (error, expected) => {
    expect(verdict(error)).toBe(expected);
  });

  it.each([undefined, null, 'ECONNREFUSED', 42, Symbol('x'), () => {}])('%s is unknown', (it) => {
    expect(verdict(it)).toBe('unknown medium');
  });
});

/** A port that was in use a moment ago, and is closed now. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('classify of errors that Node throws', () => {
  it('recognises a refused connection', async () => {
    const port = await closedPort();
    const error = await new Promise((resolve) => connect(port, '127.0.0.1').on('error', resolve));
    expect(verdict(error)).toBe('network high transient');
  });

  it('recognises a refused connection behind the TypeError of fetch', async () => {
    const error = await fetch(`http://127.0.0.1:${await closedPort()}/`).catch(
      (error: unknown) => error,
    );
    expect(String(error)).toBe('TypeError: fetch failed');
    expect(verdict(error)).toBe('network high transient');
  });

  it('classifies a missing file as not transient', async () => {
    const error = await readFile('/no/such/file').catch((error: unknown) => error);
    expect(verdict(error)).toBe('resource medium');
  });

  it('takes a parse error for a bad answer', () => {
    let error: unknown;
    try {
      JSON.parse('{');
    } catch (thrown) {
      error = thrown;
    }
    expect(verdict(error)).toBe('internal medium');
  });

  it('tells an abort by the caller from a timeout, both named AbortError by Node', async () => {
    const controller = new AbortController();
    const waiting = delay(1000, undefined, { signal: controller.signal }).catch((e: unknown) => e);
    controller.abort();
    expect(verdict(await waiting)).toBe('unknown low');
    const timed = delay(1000, undefined, { signal: AbortSignal.timeout(1) });
    const error = await timed.catch((e: unknown) => e);
    expect((error as Error).name).toBe('AbortError');
    expect(verdict(error)).toBe('timeout medium transient');
  });
});

describe('classify of causes', () => {
  it('follows causes until an error can be classified', () => {
    const deep = new Error('a', { cause: new Error('b', { cause: coded('ECONNRESET') }) });
    expect(verdict(deep)).toBe('network high transient');
    const missing = Object.assign(new Error('b'), { status: 404 });
    expect(verdict(new TypeError('x', { cause: missing }))).toBe('validation low');
    expect(verdict(Object.assign(deep, { code: 'ENOSPC' }))).toBe('resource critical');
  });

  it('uses the first transient error of an AggregateError, else the first that is known', () => {
    const [late, missing, bad] = ['ETIMEDOUT', 'ENOENT', 'EINVAL'].map(coded);
    const of = (...errors: unknown[]): string => verdict(new AggregateError(errors, 'all failed'));
    expect(of(late, missing)).toBe('timeout medium transient');
    expect(of(missing, late)).toBe('timeout medium transient');
    expect(of(new Error('x'), missing, bad)).toBe('resource medium');
    expect(of({ code: 'ECONNRESET' }, bad)).toBe('validation medium');
    expect(of()).toBe('unknown medium');
  });

  it('looks at a bounded number of errors, however they refer to each other', () => {
    let reads = 0;
    const errors: Error[] = Array.from({ length: 20 }, () => {
      const error = new Error('x');
      Object.defineProperty(error, 'code', { get: () => void reads++ });
      return Object.assign(error, { errors: [] as Error[] });
    });
    for (const error of errors) Object.assign(error, { errors, cause: errors[0] });
    expect(verdict(errors[0])).toBe('unknown medium');
    // `code` is read up to twice of each of at most 32 errors.
    expect(reads).toBeGreaterThan(1);
    expect(reads).toBeLessThanOrEqual(64);
  });

  it('stops at a cycle and after eight causes', () => {
    const a: Error & { cause?: unknown; errors?: unknown[] } = new Error('a');
    const b = new Error('b', { cause: a });
    a.cause = b;
    a.errors = [a, b];
    expect(verdict(a)).toBe('unknown medium');
    const chain = (depth: number): unknown =>
      depth === 0 ? coded('EPIPE') : new Error('x', { cause: chain(depth - 1) });
    expect(verdict(chain(7))).toBe('network high transient');
    expect(verdict(chain(8))).toBe('unknown medium');
  });

  it('uses the classification property of an error when it is valid', () => {
    expect(verdict(new OperationTimeoutError('p', 1))).toBe('timeout medium transient');
    expect(verdict(new DeadlineExceededError('op', 1))).toBe('timeout high');
    const wrapped = new Error('x', { cause: new DeadlineExceededError('op', 1) });
    expect(verdict(wrapped)).toBe('timeout high');
    const nonsense = Object.assign(new Error('x'), {
      classification: { category: 'weather', severity: 'high', transient: true },
    });
    expect(verdict(nonsense)).toBe('unknown medium');
  });
});

describe('what is no error', () => {
  /** Everything that steers, as an upstream could send it. */
  const body = JSON.parse(`{
    "name": "TimeoutError", "message": "Failed to fetch", "code": "ECONNREFUSED", "status": 503,
    "statusCode": 503, "severity": "FATAL", "sqlState": "40001", "retriable": true,
    "errorLabels": ["RetryableWriteError"], "$metadata": { "httpStatusCode": 503 },
    "$retryable": { "throttling": true }, "metadata": {}, "headers": {},
    "response": { "status": 503, "headers": {} }, "cause": { "code": "ECONNRESET" },
    "errors": [{ "code": "ECONNRESET" }],
    "classification": { "category": "network", "severity": "high", "transient": true }
  }`) as object;

  it.each([
    ['thrown', body],
    ['as a cause', new Error('bad answer', { cause: body })],
    ['in a list of errors', new AggregateError([body], 'bad answers')],
    ['as the response of an error', Object.assign(new Error('no'), { response: { status: 503 } })],
    ['in a list', [body]],
  ])('is unknown %s, whatever it has', (_where, thrown) => {
    expect(verdict(thrown)).toBe('unknown medium');
  });

  it('does not have the fields that only one client has beside each other', () => {
    const bare = (fields: object): string => verdict(Object.assign(new Error('x'), fields));
    expect(bare({ code: 14 })).toBe('unknown medium');
    expect(bare({ code: 14, metadata: {} })).toBe('unknown medium');
    expect(bare({ code: 10107 })).toBe('unknown medium');
    expect(bare({ code: 10107, errorLabels: ['RetryableWriteError'] })).toBe('unknown medium');
    expect(bare({ code: '40001' })).toBe('unknown medium');
    expect(bare({ retriable: true })).toBe('unknown medium');
    expect(bare({ name: 'SlowDown' })).toBe('unknown medium');
    expect(bare({ $retryable: {} })).toBe('unknown medium');
    expect(bare({ message: "the text READONLY You can't write" })).toBe('unknown medium');
  });

  it('is told apart from errors of other realms', () => {
    const foreign = runInNewContext("Object.assign(new Error('x'), { code: 'ECONNRESET' })");
    expect(foreign instanceof Error).toBe(false);
    expect(verdict(foreign)).toBe('network high transient');
  });
});

describe('classification rules', () => {
  it('are asked in order before the built-in rules', () => {
    const rules: ClassificationRule[] = [
      () => undefined,
      (error) =>
        error instanceof TypeError ? { category: 'internal', severity: 'low' } : undefined,
      () => ({ category: 'resource', severity: 'critical', transient: true }),
    ];
    expect(classify(new TypeError('x'), rules)).toEqual({
      category: 'internal',
      severity: 'low',
      transient: false,
    });
    expect(classify(coded('ENOENT'), rules)).toEqual({
      category: 'resource',
      severity: 'critical',
      transient: true,
    });
  });

  it('may return a part; the rest comes from the built-in rules', () => {
    expect(classify(coded('ECONNRESET'), [() => ({ transient: false })])).toEqual({
      category: 'network',
      severity: 'high',
      transient: false,
    });
  });

  it('are ignored when they throw or return no valid verdict', () => {
    const broken = [
      () => {
        throw new Error('broken rule');
      },
      () => null,
      () => 'network',
      () => ({ category: 'weather' }),
      () => ({ severity: undefined }),
    ] as unknown as ClassificationRule[];
    expect(classify(coded('ENOSPC'), broken)).toEqual({
      category: 'resource',
      severity: 'critical',
      transient: false,
    });
  });
});

describe('an object whose getters throw', () => {
  const trap: ProxyHandler<object> = {
    get() {
      throw new Error('hostile');
    },
    getPrototypeOf() {
      throw new Error('hostile');
    },
  };
  const hostile = new Proxy({}, trap);

  it('is classified as unknown, without status and type', () => {
    const unknown: Classification = { category: 'unknown', severity: 'medium', transient: false };
    expect(classify(hostile)).toEqual(unknown);
    expect(classify({ cause: hostile })).toEqual(unknown);
    expect(classify({ response: hostile })).toEqual(unknown);
    expect(statusOf(hostile)).toBeUndefined();
    expect(statusOf({ response: hostile })).toBeUndefined();
    expect(errorType(hostile)).toBe('_OTHER');
    expect(errorType({ cause: hostile })).toBe('_OTHER');
  });

  it('causes no endless search for a status', () => {
    const loop: { response?: unknown } = {};
    loop.response = { response: loop };
    expect(statusOf(loop)).toBeUndefined();
  });
});

describe('errorType', () => {
  class RegistryError extends Error {}
  it.each([
    [coded('ECONNREFUSED'), 'ECONNREFUSED'],
    [coded('user 17 has no cart'), 'Error'],
    [Object.assign(new Error('x'), { status: 503 }), '503'],
    [new Response('', { status: 429 }), '429'],
    [new TypeError('fetch failed', { cause: coded('ECONNRESET') }), 'ECONNRESET'],
    [new TypeError('x'), 'TypeError'],
    [new DOMException('x', 'TimeoutError'), 'TimeoutError'],
    [new RegistryError('x'), 'RegistryError'],
    [new OperationTimeoutError('p', 1), 'OPERATION_TIMEOUT'],
    [new Error('x'), 'Error'],
    [{ ok: false }, '_OTHER'],
    [[], '_OTHER'],
    ['a string', '_OTHER'],
    [undefined, '_OTHER'],
    [null, '_OTHER'],
    [Object.create(null), '_OTHER'],
  ])('of %o is %s', (error, expected) => {
    expect(errorType(error)).toBe(expected);
  });
});
