import type { CallContext, CallOptions, Executor, Operation, Policy } from '@temper/core';
import { PipelineOrderError, pipeline } from '@temper/recovery';
import { ManualClock } from '@temper/testkit/clock';
import {
  type OutageOptions,
  type SimulatedExecutor,
  type SimulationOptions,
  type SimulationReport,
  simulate,
} from '@temper/testkit/simulation';
import { Account } from './account.ts';
import { Draw } from './draw.ts';
import { KIND_NAMES, type Kind, type KindName, kindOf } from './kinds.ts';
import { metricProblems } from './metrics.ts';

/** A policy of a scenario. */
export interface Layer {
  readonly kind: KindName;
  readonly options: object;
}

/** Everything that a simulation follows from, as plain data: it is printed, and run again. */
export interface Scenario {
  readonly seed: number;
  /** Outermost first. */
  readonly layers: readonly Layer[];
  /** Whether the policies are called one inside the other, by `parent`, or composed by `pipeline`. */
  readonly nested: boolean;
  readonly perSecond: number;
  readonly arrivals: 'poisson' | 'even';
  readonly timeoutMs: number;
  readonly abortShare: number;
  readonly keys: number;
  /** Whether limits let fewer calls through than there are; goodput is not looked at then. */
  readonly tight: boolean;
  /** Calls cost from 1 to this. */
  readonly mostCost: number;
  /** Whether calls have priorities. */
  readonly priorities: boolean;
  readonly serviceMs: number;
  readonly workers: number;
  readonly errorRate: number;
  readonly loss: number;
  readonly duplication: number;
  readonly foreignPromises: number;
  readonly outage: OutageOptions;
  /** A step of the wall clock in the middle of the outage, in milliseconds. */
  readonly clockStepMs: number;
  /** Share of the callbacks that throw. */
  readonly throwing: number;
  /** How long calls are made after the outage, in milliseconds. */
  readonly afterMs: number;
}

const PRIORITIES = ['sheddable', 'sheddable-plus', 'critical', 'critical-plus'] as const;
type Priority = (typeof PRIORITIES)[number];

/** How long goodput must hold at the end, in milliseconds. */
const HELD_MS = 10_000;

/** The scenario of a seed. */
export function drawScenario(seed: number): Scenario {
  const draw = new Draw(seed);
  const layers = draw
    .some(KIND_NAMES, draw.integer(1, 4))
    .map((kind): Layer => ({ kind, options: kindOf(kind).draw(draw) }));
  const tight = draw.chance(0.3);
  // A request that is lost under a single flight costs all calls of its key the time of one caller.
  const shares = layers.some(({ kind }) => kind === 'singleFlight');
  const outage: OutageOptions = {
    kind: draw.pick(['error', 'hang', 'slow', 'partition']),
    startMs: draw.pick([1000, 4000]),
    durationMs: draw.pick([3000, 10_000]),
    share: draw.pick([1, 1, 0.5]),
  };
  return {
    seed,
    tight,
    layers: tight ? layers.map((layer) => tightened(layer, draw)) : layers,
    nested: draw.chance(0.7),
    perSecond: draw.pick([4, 8, 16]),
    arrivals: draw.pick(['poisson', 'even']),
    timeoutMs: 2000,
    abortShare: draw.pick([0, 0, 0.1]),
    keys: draw.pick([1, 4]),
    mostCost: draw.pick([1, 1, 3]),
    priorities: draw.chance(0.3),
    serviceMs: draw.pick([10, 30]),
    workers: 8,
    errorRate: draw.pick([0, 0, 0.01]),
    loss: shares ? 0 : draw.pick([0, 0, 0.001]),
    duplication: draw.pick([0, 0.01]),
    foreignPromises: draw.pick([0, 0, 0.2]),
    outage,
    clockStepMs: draw.pick([0, 3_600_000, -3_600_000]),
    throwing: draw.pick([0, 0.5]),
    afterMs: recoveryMs(layers) + HELD_MS,
  };
}

function tightened({ kind, options }: Layer, draw: Draw): Layer {
  return { kind, options: { ...options, ...kindOf(kind).tight?.(draw) } };
}

/** How long a pipeline may take to recover: policies one after the other, in the worst case. */
export function recoveryMs(layers: readonly Layer[]): number {
  const each = layers.map(({ kind, options }) => kindOf(kind).recoveryMs?.(options as never) ?? 0);
  return 5000 + each.reduce((sum, ms) => sum + ms, 0);
}

type FindKind = (name: KindName) => Kind;

/** Numbers the runs, as policies of one name would share their metrics. */
let runs = 0;

/** What is to be simulated, and the policies and accounts that it makes. */
export class Prepared {
  readonly options: SimulationOptions;
  /** Set when the simulation begins. */
  layers: readonly PreparedLayer[] = [];

  /** @param find - gives the kind of a name; a test plants faults with it */
  constructor(scenario: Scenario, find: FindKind = kindOf) {
    const { outage, clockStepMs } = scenario;
    const number = ++runs;
    this.options = {
      seed: scenario.seed,
      pipeline: (world) => {
        const { clock, random } = world;
        const onEvent = (): void => {
          for (const { policy } of this.layers) policy.stats();
          if (scenario.throwing > 0 && random() < scenario.throwing) throw new Error('listener');
        };
        this.layers = scenario.layers.map(({ kind: name, options }, i): PreparedLayer => {
          const kind = find(name);
          const making = { clock, random, name: `${name} ${i} of run ${number}`, onEvent };
          const policy = kind.make(making, options as never);
          const account = new Account(policy, clock, {
            onEntry: () => kind.onEntry?.(policy as never),
            isTrial: () => kind.isTrial?.(policy as never) === true,
            trialMs: kind.trialMs?.(options as never),
          });
          return { kind, name, options, policy, account };
        });
        return scenario.nested
          ? nest(this.layers.map(({ account }) => account))
          : (pipeline(
              { clock, name: `pipeline of run ${number}` },
              ...this.layers.map(({ policy }) => policy),
            ) as SimulatedExecutor);
      },
      callers: {
        perSecond: scenario.perSecond,
        arrivals: scenario.arrivals,
        timeoutMs: scenario.timeoutMs,
        abortShare: scenario.abortShare,
        options: (call) => ({
          key: `key ${call % scenario.keys}`,
          cost: 1 + (call % scenario.mostCost),
          ...(scenario.priorities ? { priority: PRIORITIES[call % 4] as Priority } : {}),
        }),
      },
      network: { loss: scenario.loss, duplication: scenario.duplication },
      dependency: {
        serviceMs: scenario.serviceMs,
        workers: scenario.workers,
        errorRate: scenario.errorRate,
      },
      foreignPromises: scenario.foreignPromises,
      outage,
      events:
        clockStepMs === 0
          ? []
          : [
              {
                atMs: outage.startMs + outage.durationMs / 2,
                run: ({ clock }) => clock.adjustWallClock(clockStepMs),
              },
            ],
      durationMs: outage.startMs + outage.durationMs + scenario.afterMs,
    };
  }
}

/** A policy under simulation. */
export interface PreparedLayer {
  readonly kind: Kind;
  readonly name: KindName;
  readonly options: object;
  readonly policy: Policy;
  readonly account: Account;
}

/** The policies one inside the other, so that each has an account of its own. */
function nest(layers: readonly Executor[]): SimulatedExecutor {
  const run = <T>(i: number, operation: Operation<T>, options?: CallOptions): Promise<T> =>
    (layers[i] as Executor).execute(
      (call: CallContext) =>
        i + 1 < layers.length ? run(i + 1, operation, { parent: call }) : operation(call),
      options,
    );
  return {
    execute: (operation, options) => run(0, operation as Operation<never>, options as CallOptions),
  };
}

/** A scenario that was run. */
export interface Result {
  readonly prepared: Prepared;
  readonly report: SimulationReport;
  /** What is wrong; nothing if all is well. */
  readonly problems: readonly string[];
}

/** Runs a scenario, and checks it. */
export async function run(scenario: Scenario, find?: FindKind): Promise<Result> {
  const prepared = new Prepared(scenario, find);
  const report = await simulate(prepared.options);
  const metered = scenario.nested ? await metricProblems(prepared.layers) : [];
  return { prepared, report, problems: [...problemsOf(scenario, prepared, report), ...metered] };
}

/** Whether `pipeline` refuses the order of these policies, as it can never work. */
export function isRefused({ layers, nested }: Scenario): boolean {
  if (nested) return false;
  try {
    const making = { clock: new ManualClock(), random: () => 0, name: 'order', onEvent: () => {} };
    pipeline({}, ...layers.map(({ kind, options }) => kindOf(kind).make(making, options as never)));
    return false;
  } catch (error) {
    if (error instanceof PipelineOrderError) return true;
    throw error;
  }
}

/** What is wrong after a simulation. */
function problemsOf(scenario: Scenario, { layers }: Prepared, report: SimulationReport): string[] {
  return [
    ...endings(scenario, report),
    ...leftovers(report),
    ...(scenario.nested ? layers.flatMap(accountProblems) : []),
    ...liveness(scenario, report),
  ];
}

/** Every call ends once, and by its deadline. */
function endings({ timeoutMs }: Scenario, report: SimulationReport): string[] {
  const began = new Map<number, number>();
  const problems: string[] = [];
  for (const event of report.trace) {
    if (event.type === 'call') began.set(event.call, event.atMs);
    if (event.type !== 'end') continue;
    const at = began.get(event.call);
    if (at === undefined) problems.push(`call ${event.call} ended twice`);
    else if (event.atMs - at > timeoutMs + 1e-6)
      problems.push(`call ${event.call} ended after ${event.atMs - at} ms, with ${event.end}`);
    began.delete(event.call);
  }
  if (began.size > 0) problems.push(`${began.size} calls have not ended`);
  return problems.slice(0, 3);
}

function leftovers({ left }: SimulationReport): string[] {
  return Object.entries(left).flatMap(([what, count]) =>
    count === 0 ? [] : [`${count} ${what} are left`],
  );
}

function accountProblems({ name, kind, options, policy, account }: PreparedLayer): string[] {
  const unended = account.calls - account.ended;
  return [
    ...(unended === 0 ? [] : [`${unended} calls have not ended`]),
    ...(kind.repeats || account.mostPerCall <= 1
      ? []
      : [`let ${account.mostPerCall} calls through for one`]),
    ...(kind.fifo && account.overtaken > 0
      ? [`${account.overtaken} calls were overtaken while they waited`]
      : []),
    ...account.problems.slice(0, 1),
    ...(kind.check?.(account, options as never, policy as never) ?? []),
  ].map((problem) => `${name}: ${problem}`);
}

/** After the outage, goodput is what the dependency can give, within the time that the policies may need. */
function liveness(scenario: Scenario, report: SimulationReport): string[] {
  if (scenario.tight) return [];
  const fromMs = report.durationMs - HELD_MS;
  const { goodput, calls, ends, errors } = report.phase(fromMs, report.durationMs);
  const lost = calls * (0.05 + scenario.errorRate + 4 * scenario.loss);
  if ((1 - goodput) * calls <= lost + 4 * Math.sqrt(lost)) return []; // of few calls, chance decides
  return [
    `goodput is ${goodput.toFixed(2)} of ${calls} calls, ${scenario.afterMs} ms after the outage: ${JSON.stringify({ ends, errors })}`,
  ];
}
