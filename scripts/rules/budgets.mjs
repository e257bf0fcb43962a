// Compares what was measured with budgets: rows of a table, and the faults among them.

/**
 * @typedef {object} Budget
 * @property {string} name
 * @property {number} budget most that is allowed
 * @property {number} [aim] what it is to become; no check fails on it
 *
 * @param {Budget[]} budgets
 * @param {Map<string, number>} measured by name
 * @returns {{ rows: { name: string, value: number, budget: number | undefined, aim: number | undefined }[],
 *   faults: string[] }} one row per measured name, in their order
 */
export function compareWithBudgets(budgets, measured) {
  const byName = new Map(budgets.map((one) => [one.name, one]));
  const rows = [...measured].map(([name, value]) => {
    const { budget, aim } = byName.get(name) ?? {};
    return { name, value, budget, aim };
  });
  const faults = [
    ...rows.flatMap(({ name, value, budget }) => {
      if (budget === undefined) return [`${name} has no budget. It measures ${value}.`];
      return value > budget
        ? [`${name} measures ${value}, ${value - budget} more than its budget of ${budget}.`]
        : [];
    }),
    ...budgets
      .filter(({ name }) => !measured.has(name))
      .map(({ name }) => `${name} has a budget but does not exist.`),
  ];
  return { rows, faults };
}

/** A table for a terminal: numbers to the right, with the unit in the head. */
export function formatTable(rows, unit) {
  const cells = [
    [unit, 'budget', 'aim', ''],
    ...rows.map(({ name, value, budget, aim }) => [value, budget ?? '-', aim ?? '', name]),
  ];
  const widths = [0, 1, 2].map((at) => Math.max(...cells.map((row) => String(row[at]).length)));
  return cells
    .map((row) =>
      [...widths.map((width, at) => String(row[at]).padStart(width)), row[3]].join('  ').trimEnd(),
    )
    .join('\n');
}
