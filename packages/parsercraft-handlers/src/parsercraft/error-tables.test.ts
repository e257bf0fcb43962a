import { describe, expect, it } from 'vitest';
import { ERROR_TABLES, errorTable, type OperationName } from '../index.ts';

const table = (operation: OperationName) => errorTable(ERROR_TABLES[operation]);
const kindOf = (operation: OperationName, error: unknown) => table(operation).kindOf(error);
const verdictOf = (operation: OperationName, error: unknown) => table(operation).verdictOf(error);
const isCallersFault = (operation: OperationName, error: unknown) =>
  table(operation).isCallersFault(error);
const isWorthRetrying = (operation: OperationName, error: unknown) =>
  table(operation).isWorthRetrying(error);

const of = (kind: string): Error => Object.assign(new Error(kind), { kind });
const unsupported = Object.assign(new Error('goto'), { name: 'UnsupportedConstructError' });
const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
const invalid = (error: Error): Error => Object.assign(error, { kind: 'invalid' });
const argument = Object.assign(new TypeError('not a string'), { code: 'ERR_INVALID_ARG_TYPE' });
const late = new DOMException('late', 'TimeoutError');

describe('the error tables', () => {
  it.each<[OperationName, unknown, string]>([
    ['ast_codegen', new SyntaxError('x'), 'validation/medium'],
    ['ast_codegen', unsupported, 'internal/high'],
    ['ast_codegen', new Error('x'), 'unknown/critical'],
    ['ast_codegen', refused, 'unknown/critical'],
    ['ast_codegen', new TypeError('x'), 'internal/critical'],
    ['ast_codegen', new RangeError('x'), 'internal/critical'],
    ['type_inference', new SyntaxError('x'), 'validation/medium'],
    ['type_inference', new TypeError('x'), 'internal/high'],
    ['type_inference', invalid(new TypeError('x')), 'validation/medium'],
    ['type_inference', argument, 'validation/medium'],
    ['check_protocol', new RangeError('x'), 'internal/medium'],
    ['check_protocol', invalid(new RangeError('x')), 'validation/low'],
    ['fetch_package', new TypeError('x'), 'internal/high'],
    ['lsp_operation', new TypeError('x'), 'internal/medium'],
    ['type_inference', new Error('x'), 'unknown/high'],
    ['check_protocol', of('invalid'), 'validation/low'],
    ['check_protocol', new Error('x'), 'unknown/medium'],
    ['fetch_package', refused, 'network/high'],
    ['fetch_package', new SyntaxError('Unexpected token <'), 'unknown/high'],
    ['fetch_package', late, 'timeout/medium'],
    ['fetch_package', new Error('x'), 'unknown/high'],
    ['lsp_operation', of('invalid'), 'validation/low'],
    ['lsp_operation', late, 'timeout/medium'],
    ['lsp_operation', new Error('x'), 'unknown/medium'],
  ])('%s: %s is %s', (operation, error, expected) => {
    const { category, severity } = verdictOf(operation, error);
    expect(`${category}/${severity}`).toBe(expected);
  });

  it.each(['invalid', 'unsupported', 'connection', 'timeout'])(
    'take %s from an error, or from its cause',
    (kind) => {
      expect(kindOf('ast_codegen', of(kind))).toBe(kind);
      expect(kindOf('ast_codegen', new Error('exhausted', { cause: of(kind) }))).toBe(kind);
    },
  );

  it.each([new TypeError('x'), new RangeError('x')])('take a bare %o for a bug', (error) => {
    expect(kindOf('ast_codegen', error)).toBe('bug');
    expect(isCallersFault('ast_codegen', error)).toBe(false);
    expect(isWorthRetrying('ast_codegen', error)).toBe(false);
    expect(isCallersFault('ast_codegen', invalid(error))).toBe(true);
  });

  it.each([
    [new SyntaxError('Unexpected token <'), ['ast_codegen', 'lsp_operation'], ['fetch_package']],
    [
      Object.assign(new Error('no access'), { status: 403 }),
      ['fetch_package', 'lsp_operation'],
      [],
    ],
    [Object.assign(new Error('no access'), { status: 401 }), ['fetch_package'], []],
    [Object.assign(new Error('slow down'), { status: 429 }), [], ['fetch_package']],
    [new Error('bad', { cause: { kind: 'invalid' } }), [], ['fetch_package', 'check_protocol']],
  ] as const)('tell whose fault %o is', (error, callers, subsystems) => {
    for (const each of callers) expect(isCallersFault(each, error)).toBe(true);
    for (const each of subsystems) expect(isCallersFault(each, error)).toBe(false);
  });

  it('retry a connection error, and nothing that is the caller’s fault', () => {
    expect(isWorthRetrying('ast_codegen', of('connection'))).toBe(true);
    expect(isWorthRetrying('ast_codegen', refused)).toBe(true);
    expect(isWorthRetrying('ast_codegen', new Error('x'))).toBe(false);
    expect(
      isWorthRetrying('ast_codegen', Object.assign(of('invalid'), { code: 'ECONNRESET' })),
    ).toBe(false);
    expect(isCallersFault('ast_codegen', unsupported)).toBe(true);
  });

  it('survive a hostile error and a cycle', () => {
    const hostile = new Proxy(
      {},
      {
        get: () => {
          throw new Error('hostile');
        },
      },
    );
    expect(kindOf('ast_codegen', hostile)).toBe('other');
    const cycle = new Error('a');
    cycle.cause = cycle;
    expect(kindOf('ast_codegen', cycle)).toBe('other');
  });
});
