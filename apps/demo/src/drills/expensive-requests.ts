import type { HttpQuestion } from './http-caller.ts';

const post = (path: string, body: object): HttpQuestion => ({
  method: 'POST',
  path,
  body: JSON.stringify(body),
});

/** Longest texts that the API accepts. */
const SOURCE_LENGTH = 32_768;
const DEFINITION_LENGTH = 65_536;

/** A definition that is read to its end before it turns out to be invalid. */
export function hugeDefinition(seed: number): string {
  const line = (at: number): string => `  - { meaning: x${seed}, symbol: s${at} }`;
  const lines = Array.from({ length: 3_000 }, (_, at) => line(at)).join('\n');
  return `name: huge\noperators:\n${lines}`.slice(0, DEFINITION_LENGTH);
}

const repeated = (part: string): string => part.repeat(Math.floor(SOURCE_LENGTH / part.length));
const uses = Array.from({ length: 20 }, (_, at) => `use missing.package${at}`).join('\n');
const position = { line: 0, character: 20_000 };

/** Requests within the limits of one client, each of which costs the service as much as one can. */
export const EXPENSIVE_REQUESTS: readonly HttpQuestion[] = [
  post('/v1/run', { source: 'while true { }' }),
  post('/v1/compile', { source: 'print(1)', definition: hugeDefinition(1) }),
  // Memory: strings that double, and texts of which each part is kept.
  post('/v1/run', {
    source:
      'let s = "0123456789abcdef"\nwhile length(s) < 500000 { s = s + s }\nwhile true { print(length(s + s)) }',
  }),
  post('/v1/check', { source: repeated('let a = fn(x) { return x }\n') }),
  post('/v1/compile', { source: repeated('print(1 + 2)\n') }),
  post('/v1/run', { source: 'while true { print("0123456789012345678901234567890123456789") }' }),
  post('/v1/run', { source: uses }),
  post('/v1/lsp/hover', { text: 'A'.repeat(SOURCE_LENGTH), position }),
  post('/v1/lsp/completion', { text: repeated('a.'), position }),
  post('/v1/run', { source: 'let x = 1.5\nwhile true { x = x * 1.0000001 string(x) }' }),
];
