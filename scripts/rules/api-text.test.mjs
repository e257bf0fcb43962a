import { expect, it } from 'vitest';
import { countExports, lineDifference } from './api-text.mjs';

const report = (code) => `## API Report File for "x"\n\n\`\`\`ts\n\n${code}\n\n\`\`\`\n`;

it('counts each exported name once, whatever its kind', () => {
  const code = [
    "import { Clock } from '@temper/core';",
    'export class A {\n    b(): void;\n}',
    'export function c(a: string): void;',
    'export function c(a: number): void;',
    'export const D = "export const E = 1";',
    'export type F = string;',
    'export abstract class G {\n}',
    'export interface H {\n}',
    'export { Clock }',
    'interface Hidden {\n}',
  ];
  expect(countExports(report(code.join('\n\n')))).toBe(7);
});

it('counts names that are exported under another name', () => {
  expect(countExports(report('export { a as b, c }'))).toBe(2);
});

it('shows the lines that differ', () => {
  expect(lineDifference('a\nb\nb', 'a\nb\nc')).toBe('  - b\n  + c');
  expect(lineDifference('', 'x\n'.repeat(30)).split('\n').at(-1)).toBe('  … and 10 lines more');
});
