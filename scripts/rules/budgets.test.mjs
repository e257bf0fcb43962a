import { expect, it } from 'vitest';
import { compareWithBudgets, formatTable } from './budgets.mjs';

const faultsOf = (budgets, measured) =>
  compareWithBudgets(budgets, new Map(Object.entries(measured))).faults;

it('accepts what is within its budget, whatever the aim', () => {
  expect(faultsOf([{ name: 'a', budget: 10, aim: 5 }], { a: 10 })).toEqual([]);
});

it('reports what exceeds its budget', () => {
  expect(faultsOf([{ name: 'a', budget: 10 }], { a: 11 })).toEqual([
    'a measures 11, 1 more than its budget of 10.',
  ]);
});

it('reports what has no budget, and a budget of nothing', () => {
  expect(faultsOf([{ name: 'a', budget: 10 }], { b: 1 })).toEqual([
    'b has no budget. It measures 1.',
    'a has a budget but does not exist.',
  ]);
});

it('prints a table', () => {
  const { rows } = compareWithBudgets([{ name: 'a', budget: 10, aim: 5 }], new Map([['a', 7]]));
  expect(formatTable(rows, 'bytes')).toBe('bytes  budget  aim\n    7      10    5  a');
});
