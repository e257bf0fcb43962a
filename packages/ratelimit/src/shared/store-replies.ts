import { show } from '@temper/core/policy';
import { capacityOf, longestWaitOf } from './rule-state.ts';
import {
  type JointRequest,
  type JointResult,
  type PermitRequest,
  type PermitResult,
  RESERVATION_MS,
  type StoreRule,
  type TakeAnswer,
  type TakeCall,
  type TakeResult,
} from './store.ts';

/** Most permits or processes in a reply. */
const MAX_COUNT = 1_000_000;

/** How much longer than allowed a wait may be, in milliseconds: stores count in units of their own. */
export const ROUNDING_MS = 1;

/**
 * Reads the reply of a store to a request for units. Every value is read once and checked: a reply
 * decides whether calls pass and when the store is asked again. Times are at most what the rule and the
 * request can mean.
 *
 * @param blockMs - longest time for which a key can be blocked
 * @throws {TypeError} unless it is one answer per call, of the right shape and in range
 */
export function readTake(
  reply: unknown,
  rule: StoreRule,
  calls: readonly TakeCall[],
  blockMs: number,
): TakeResult {
  const { answers, remaining, resetMs } = fieldsOf('take', reply);
  if (!Array.isArray(answers) || answers.length !== calls.length) {
    throw new TypeError('The store must return one answer per call.');
  }
  const ahead = 'burst' in rule ? rule.windowMs / rule.limit : 0;
  let longestMs = Math.max(longestWaitOf(rule), blockMs) + ROUNDING_MS;
  return {
    answers: calls.map((call, i) => {
      longestMs += call.cost * ahead;
      return readAnswer(answers[i], call, longestMs);
    }),
    remaining: Math.min(numberIn('remaining', remaining), capacityOf(rule)),
    resetMs: Math.min(numberIn('resetMs', resetMs), longestMs),
  };
}

function readAnswer(answer: unknown, { maxWaitMs }: TakeCall, longestMs: number): TakeAnswer {
  const { taken, waitMs, receipt, retryAfterMs, askAgainMs } = fieldsOf('take', answer);
  if (!booleanOf('taken', taken)) {
    const refused = {
      taken: false,
      retryAfterMs: Math.min(numberIn('retryAfterMs', retryAfterMs), longestMs),
    } as const;
    if (askAgainMs === undefined) return refused;
    return { ...refused, askAgainMs: Math.min(numberIn('askAgainMs', askAgainMs), longestMs) };
  }
  if (typeof receipt !== 'string') throw wrong('receipt', 'a string', receipt);
  const most = Math.min(maxWaitMs, RESERVATION_MS) + ROUNDING_MS;
  return { taken: true, waitMs: numberIn('waitMs', waitMs, most), receipt };
}

/**
 * Reads the reply of a store to a request for permits.
 *
 * @throws {TypeError} unless it is of the right shape and in range
 */
export function readPermits(reply: unknown, calls: number, leaseMs: number): PermitResult {
  const { granted, inUse, expiryMs } = fieldsOf('takePermits', reply);
  return {
    granted: countIn('granted', granted, calls),
    inUse: countIn('inUse', inUse, MAX_COUNT),
    expiryMs: Math.min(numberIn('expiryMs', expiryMs), leaseMs),
  };
}

/**
 * Reads the reply of a store to a call that asks several limits in one step.
 *
 * @returns `undefined` when they cannot be asked in one step
 * @throws {TypeError} unless it is one answer per limit, of the right shape and in range, and all of them agree
 */
export function readJoint(
  reply: unknown,
  { rates, permits }: JointRequest,
  blockMs: number,
): JointResult | undefined {
  if (reply === undefined) return undefined;
  const { taken: all, ...lists } = fieldsOf('takeAll', reply);
  const taken = booleanOf('taken', all);
  const of = (name: 'rates' | 'permits', length: number): readonly unknown[] => {
    const list = lists[name];
    if (Array.isArray(list) && list.length === length) return list;
    throw wrong(name, 'one answer per limit', list);
  };
  const units = of('rates', rates.length);
  const leases = of('permits', permits.length);
  const result = {
    taken,
    rates: rates.map(({ rule, calls }, i) => readTake(units[i], rule, calls, blockMs)),
    permits: permits.map(({ leaseMs }, i) => readPermits(leases[i], 1, leaseMs)),
  };
  const agree =
    result.rates.every(({ answers: [answer] }) => answer?.taken === taken) &&
    result.permits.every(({ granted }) => granted === Number(taken)) &&
    (taken ||
      permits.some((_, i) => !permitsFit(permits[i]!, result.permits[i]!)) ||
      result.rates.some(lacks));
  if (!agree) throw wrong('reply to takeAll', 'one answer of all limits', reply);
  return result;
}

/** Whether a limit that was asked in one step with others has refused. */
export function lacks({ answers: [answer] }: TakeResult): boolean {
  return answer?.taken === false && answer.retryAfterMs > 0;
}

/** Whether the permits of a call that was not granted them are free. */
export function permitsFit({ limit, calls }: PermitRequest, { inUse }: PermitResult): boolean {
  return inUse + calls[0]!.cost <= limit;
}

/**
 * Reads which of the leases a store has lost. Names that were not asked for are ignored.
 *
 * @throws {TypeError} unless it is a list of names
 */
export function readLost(reply: unknown, leases: readonly string[]): ReadonlySet<string> {
  if (!Array.isArray(reply) || reply.length > leases.length) {
    throw wrong('reply to renewPermits', 'a list of leases', reply);
  }
  const names = Array.from(reply, (name) => {
    if (typeof name !== 'string') throw wrong('lost lease', 'a string', name);
    return name;
  });
  const asked = new Set(leases);
  return new Set(names.filter((name) => asked.has(name)));
}

/**
 * Reads the number of processes that a store has counted, this one included.
 *
 * @throws {TypeError} unless it is a count in range
 */
export function readNodes(reply: unknown): number {
  return Math.max(1, countIn('number of processes', reply, MAX_COUNT));
}

function fieldsOf(method: string, value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  throw wrong(`reply to ${method}`, 'made of objects', value);
}

function booleanOf(name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw wrong(name, 'a boolean', value);
}

function countIn(name: string, value: unknown, max: number): number {
  const count = numberIn(name, value, max);
  if (Number.isInteger(count)) return count;
  throw wrong(name, 'an integer', value);
}

function numberIn(name: string, value: unknown, max: number = Number.MAX_SAFE_INTEGER): number {
  const most = Math.min(max, Number.MAX_SAFE_INTEGER);
  if (typeof value === 'number' && value >= 0 && value <= most) return value;
  throw wrong(name, `a number from 0 to ${most}`, value);
}

function wrong(name: string, must: string, value: unknown): TypeError {
  return new TypeError(`The store's ${name} must be ${must}, got ${show(value)}.`);
}
