import { SPAN_MODES, show } from '@temper/core/policy';
import { PlanDocumentError, type PlanProblem } from './errors.ts';
import { RECOVERY_STRATEGIES, type RecoveryPlan } from './plan.ts';

/** Returns what a value should be, or `undefined` when it is that. */
type Check = (value: unknown) => string | undefined;

const number = (expected: string, fits: (value: number) => boolean): Check => {
  return (value) => (typeof value === 'number' && fits(value) ? undefined : expected);
};

const name: Check = (value) =>
  typeof value === 'string' && value.length > 0 ? undefined : 'the name of a handler';

const object: Check = (value) => (isObject(value) ? undefined : 'an object');

const words = RECOVERY_STRATEGIES.map(show).join(', ');
const strategy: Check = (value) => {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const known: readonly unknown[] = RECOVERY_STRATEGIES;
  const fits = list.length > 0 && list.every((one) => known.includes(one));
  return fits ? undefined : `one of ${words}, or an array of them`;
};

/** The fields of a plan in a document. Functions cannot be written there. */
const FIELDS: Readonly<Record<string, Check>> = {
  strategy,
  maxRetries: number('an integer >= 0', (value) => Number.isInteger(value) && value >= 0),
  retryDelayMs: number(
    'a number of milliseconds >= 0',
    (value) => Number.isFinite(value) && value >= 0,
  ),
  timeoutMs: number('a number of milliseconds > 0', (value) => Number.isFinite(value) && value > 0),
  attemptTimeoutMs: (value) =>
    isObject(value) || (typeof value === 'number' && value > 0 && Number.isFinite(value))
      ? undefined
      : 'a number of milliseconds > 0, or an object with a quantile',
  fallback: name,
  degrade: name,
  retry: object,
  breaker: object,
  spans: (value) =>
    (SPAN_MODES as readonly unknown[]).includes(value)
      ? undefined
      : `one of ${SPAN_MODES.map(show).join(', ')}`,
};

/**
 * Reads plans from a document: an object with `plans`, which holds one plan per operation as data.
 *
 * ```yaml
 * plans:
 *   fetch_package: { strategy: [retry, fallback], maxRetries: 3, fallback: fromCache }
 *   check_protocol: { strategy: circuit_break, timeoutMs: 5000 }
 * ```
 *
 * @param document - a parsed document, or its text
 * @param parse - parses the text; for YAML, `parse` of the package `yaml`. @defaultValue `JSON.parse`
 * @returns the plans, for {@link recoveries}, where the names of handlers are looked up
 * @throws {PlanDocumentError} with every problem: path, value and what was expected
 */
export function parsePlans(
  document: unknown,
  parse: (text: string) => unknown = JSON.parse,
): readonly RecoveryPlan[] {
  const root = typeof document === 'string' ? read(document, parse) : document;
  const problems: PlanProblem[] = [];
  const problem = (path: string, value: unknown, expected: string): void => {
    problems.push({ path, value: show(value), expected });
  };
  const plans: RecoveryPlan[] = [];
  if (!isObject(root)) {
    problem('(document)', root, "an object with 'plans'");
  } else if (!isObject(root.plans)) {
    problem('plans', root.plans, 'an object with one plan per operation');
  } else {
    for (const key of Object.keys(root)) {
      if (key !== 'plans') problem(key, root[key], "nothing: only 'plans' is known here");
    }
    for (const [operation, plan] of Object.entries(root.plans)) {
      checkPlan(`plans.${operation}`, plan, problem);
      plans.push({ ...(plan as Omit<RecoveryPlan, 'operation'>), operation });
    }
  }
  if (problems.length > 0) throw new PlanDocumentError(problems);
  return plans;
}

function read(text: string, parse: (text: string) => unknown): unknown {
  try {
    return parse(text);
  } catch (cause) {
    const problem = { path: '(document)', value: show(text), expected: 'text that can be parsed' };
    throw new PlanDocumentError([problem], cause);
  }
}

function checkPlan(
  path: string,
  plan: unknown,
  problem: (path: string, value: unknown, expected: string) => void,
): void {
  if (!isObject(plan)) {
    problem(path, plan, 'a plan: an object');
    return;
  }
  for (const [field, value] of Object.entries(plan)) {
    const check = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
    if (check === undefined) {
      problem(
        `${path}.${field}`,
        value,
        `no such field; known are ${Object.keys(FIELDS).join(', ')}`,
      );
      continue;
    }
    const expected = check(value);
    if (expected !== undefined) problem(`${path}.${field}`, value, expected);
  }
  for (const [field, needed] of [
    ['fallback', 'fallback'],
    ['degrade', 'graceful_degrade'],
  ] as const) {
    const named = [plan.strategy].flat().includes(needed);
    if (named && plan[field] === undefined) {
      problem(
        `${path}.${field}`,
        undefined,
        `the name of a handler, as strategy names '${needed}'`,
      );
    }
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
