import { seededRandom } from '@temper/testkit';
import { type Step, StepBuilder } from '../../src/predict/step.ts';

export const INCIDENTS = ['outage', 'ramp', 'flapping', 'leak', 'latency', 'one-of-many'] as const;
export const CALMS = [
  'constant',
  'season',
  'deploy',
  'low-traffic',
  'burst',
  'noisy-client',
] as const;
type IncidentKind = (typeof INCIDENTS)[number];
type CalmKind = (typeof CALMS)[number];
export type Kind = IncidentKind | CalmKind;

/** Length of a step, in seconds. */
export const STEP_S = 5;
/** Length of a run, in seconds. */
const INCIDENT_S = 3 * 3600;
const CALM_S = 6 * 3600;
const DAY_S = 24 * 3600;
/** Users notice when so many calls more than before the onset are bad: ten of a hundred. */
const NOTICED = 0.1;
/** Calls drawn in each step to find out what users see, besides the calls that a detector sees. */
const TRUTH_CALLS = 400;
/** Longest queue; a call that finds it full fails. */
const QUEUE_LIMIT = 500;
const ATTEMPTS = 3;
const CLIENTS = 24;

/** A run of the simulator. Times are numbers of steps. */
export interface Run {
  readonly kind: Kind;
  readonly seed: number;
  readonly steps: readonly Step[];
  /** When the fault begins; `undefined` in a calm. */
  readonly onset: number | undefined;
  /** When users notice: ten calls of a hundred more are failed or slow than before. */
  readonly noticed: number | undefined;
  /** When the fault ends. */
  readonly end: number | undefined;
}

type Draw = (low: number, high: number) => number;

/** One service and its dependency, behind three attempts, a timeout and a queue. */
interface Service {
  readonly rate: number;
  readonly baseMs: number;
  readonly sigma: number;
  readonly slowMs: number;
  readonly timeoutMs: number;
  readonly servers: number;
  readonly attemptFailure: number;
  readonly callFailure: number;
}

/** What the world does to the service at one moment. */
interface World {
  rate: number;
  latency: number;
  capacity: number;
  attemptFailure: number;
  callFailure: number;
  /** Share of the attempts that reach an instance which does not answer. */
  dead: number;
  /** Share of the calls that a noisy client makes, and what becomes of them. */
  noisy: number;
  noisyFailure: number;
  noisySlow: number;
}

/** The events of a run: changes the world at `t` seconds. */
type Script = (world: World, t: number) => void;

interface Plan {
  readonly seconds: number;
  readonly script: Script;
  readonly onset?: number;
  /** Seconds from the moment at which users notice to the repair. */
  readonly repairAfter?: number;
  /** Latest repair, after the onset. */
  readonly atMost?: number;
}

class Chance {
  readonly next: () => number;
  constructor(seed: number) {
    this.next = seededRandom(seed);
  }
  readonly uniform: Draw = (low, high) => low + (high - low) * this.next();
  readonly logUniform: Draw = (low, high) => low * (high / low) ** this.next();
  normal(): number {
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    return radius * Math.cos(2 * Math.PI * this.next());
  }
  poisson(mean: number): number {
    if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()));
    const limit = Math.exp(-mean);
    let count = -1;
    let product = 1;
    do {
      count++;
      product *= this.next();
    } while (product > limit);
    return count;
  }
}

/** Slow changes of a level that nobody caused: a first-order autoregression. */
class Drift {
  #value = 0;
  readonly #keep: number;
  readonly #sd: number;
  readonly #chance: Chance;
  constructor(sd: number, seconds: number, chance: Chance) {
    this.#keep = Math.exp(-STEP_S / seconds);
    this.#sd = sd * Math.sqrt(1 - this.#keep * this.#keep);
    this.#chance = chance;
  }
  next(): number {
    this.#value = this.#keep * this.#value + this.#sd * this.#chance.normal();
    return Math.exp(this.#value);
  }
}

function drawService(kind: Kind, chance: Chance): Service {
  const { uniform, logUniform } = chance;
  const rate = kind === 'low-traffic' ? 1 / logUniform(15, 90) : logUniform(3, 15);
  const baseMs = logUniform(10, 200);
  const sigma = uniform(0.35, 0.7);
  const slowMs = baseMs * Math.exp(3 * sigma);
  return {
    rate,
    baseMs,
    sigma,
    slowMs,
    timeoutMs: 3 * slowMs,
    servers: Math.max(2, Math.ceil((rate * baseMs) / 1000 / uniform(0.3, 0.55))),
    attemptFailure: logUniform(0.001, 0.02),
    callFailure: logUniform(0.0005, 0.005),
  };
}

/** Share of the servers that are busy. */
function loadOf({ rate, baseMs, sigma, servers }: Service): number {
  return (rate * baseMs * Math.exp(sigma ** 2 / 2)) / 1000 / servers;
}

function planIncident(kind: IncidentKind, service: Service, chance: Chance): Plan {
  const { uniform } = chance;
  const onset = uniform(45, 75) * 60;
  const repairAfter = uniform(8, 20) * 60;
  const base = { seconds: INCIDENT_S, onset, repairAfter };
  const since =
    (script: (world: World, t: number) => void): Script =>
    (world, t) => {
      if (t >= onset) script(world, t - onset);
    };
  switch (kind) {
    case 'outage': {
      const share = uniform(0.6, 1);
      return { ...base, script: since((world) => (world.attemptFailure = share)) };
    }
    case 'ramp': {
      const share = uniform(0.6, 0.95);
      const seconds = uniform(4, 15) * 60;
      const script = since((world, t) => {
        world.attemptFailure += share * Math.min(1, t / seconds);
      });
      return { ...base, script };
    }
    case 'flapping': {
      const bad = uniform(10, 40);
      const good = uniform(15, 60);
      const share = uniform(0.6, 0.95);
      const script = since((world, t) => {
        if (t % (bad + good) < bad) world.attemptFailure = share;
      });
      return { ...base, script };
    }
    case 'leak': {
      const seconds = uniform(35, 80) * 60;
      const left = Math.min(0.5, (0.8 * service.rate * service.baseMs) / 1000 / service.servers);
      const script = since((world, t) => {
        const part = Math.min(1.1, t / seconds);
        world.capacity *= Math.max(0.02, 1 - (1 - left) * part);
        world.latency *= 1 + 0.35 * part;
      });
      return { ...base, script, atMost: seconds * 1.1 + 600 };
    }
    case 'latency': {
      const factor = uniform(3, 8);
      const seconds = uniform(1, 6) * 60;
      const script = since((world, t) => {
        world.latency *= factor ** Math.min(1, t / seconds);
      });
      return { ...base, script };
    }
    case 'one-of-many': {
      const instances = Math.floor(uniform(3, 8));
      return { ...base, script: since((world) => (world.dead = 1 / instances)), atMost: 1800 };
    }
  }
}

function planCalm(kind: CalmKind, service: Service, chance: Chance): Plan {
  const { uniform } = chance;
  const at = uniform(1.5, 4) * 3600;
  const seconds = CALM_S;
  switch (kind) {
    case 'constant': {
      const share = uniform(0.05, 0.25);
      const retried = chance.next() < 0.5;
      return {
        seconds,
        script: (world) => {
          if (retried) world.attemptFailure += share;
          else world.callFailure += share;
        },
      };
    }
    case 'season': {
      const phase = uniform(0, 2 * Math.PI);
      const depth = uniform(0.4, 0.7);
      return {
        seconds: DAY_S,
        script: (world, t) => {
          const level = Math.sin((2 * Math.PI * t) / DAY_S + phase);
          world.rate *= 1 + depth * level;
          world.latency *= 1 + 0.25 * level;
          world.attemptFailure *= 1 + 0.5 * level;
        },
      };
    }
    case 'deploy': {
      const instances = Math.floor(uniform(3, 8));
      const each = uniform(5, 12);
      const cold = uniform(1.1, 1.6);
      const lost = chance.next() < 0.5 ? 0.1 : 0;
      return {
        seconds,
        script: (world, t) => {
          if (t < at) return;
          if (t < at + instances * each) {
            world.attemptFailure += 1 / instances;
            world.callFailure += lost;
          }
          world.latency *= 1 + (cold - 1) * Math.exp(-(t - at) / 120);
        },
      };
    }
    case 'low-traffic':
      return { seconds, script: (world) => (world.callFailure += 0.02) };
    case 'burst': {
      const factor = uniform(1.2, Math.max(1.3, 0.75 / loadOf(service)));
      const length = uniform(60, 300);
      return {
        seconds,
        script: (world, t) => {
          if (t < at || t >= at + length) return;
          world.rate *= factor;
          world.latency *= 1.1;
        },
      };
    }
    case 'noisy-client': {
      const share = uniform(0.1, 0.3);
      const failure = chance.next() < 0.5;
      const length = uniform(5, 20) * 60;
      return {
        seconds,
        script: (world, t) => {
          if (t < at || t >= at + length) return;
          world.noisy = share;
          if (failure) world.noisyFailure = 0.8;
          else world.noisySlow = 12;
        },
      };
    }
  }
}

/** The dependency with its queue, as a fluid between steps and by chance within them. */
class Dependency {
  readonly service: Service;
  readonly #chance: Chance;
  /** Calls that wait, and how long a new one waits. */
  queue = 0;
  waitMs = 0;
  full = 0;
  // What became of the last call.
  failed = false;
  durationMs = 0;
  retries = 0;
  timeouts = 0;

  constructor(service: Service, chance: Chance) {
    this.service = service;
    this.#chance = chance;
  }

  /**
   * Moves the queue on by a step.
   *
   * @param highestLoad - while all is calm, somebody adds capacity in time
   */
  flow(world: World, highestLoad: number): void {
    const { baseMs, sigma, servers } = this.service;
    const serviceS = (baseMs * world.latency * Math.exp((sigma * sigma) / 2)) / 1000;
    const capacity = Math.max(servers * world.capacity, (world.rate * serviceS) / highestLoad);
    const load = (world.rate * serviceS) / capacity;
    const throughput = capacity / serviceS;
    this.queue = Math.max(0, this.queue + (world.rate - throughput) * STEP_S);
    this.full = this.queue > QUEUE_LIMIT ? 1 - throughput / world.rate : 0;
    this.queue = Math.min(QUEUE_LIMIT, this.queue);
    // Sakasegawa's approximation of the wait in a queue with several servers.
    const calm = Math.min(0.97, load);
    const stationary =
      (serviceS * calm ** (Math.sqrt(2 * (capacity + 1)) - 1)) / (capacity * (1 - calm));
    this.waitMs = 1000 * (stationary + this.queue / throughput);
  }

  /** One call with its attempts; its result is in the fields. */
  call(world: World, noisy: boolean): void {
    const chance = this.#chance;
    const { baseMs, sigma, timeoutMs } = this.service;
    this.durationMs = this.waitMs > 0 ? this.waitMs * -Math.log(1 - chance.next()) : 0;
    this.retries = 0;
    this.timeouts = 0;
    this.failed = true;
    if (this.full > 0 && chance.next() < this.full) return;
    const refused = noisy ? world.noisyFailure : world.callFailure;
    const latency = baseMs * world.latency * (noisy ? world.noisySlow : 1);
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      if (attempt > 1) this.retries++;
      const own = latency * Math.exp(sigma * chance.normal());
      const dead = world.dead > 0 && chance.next() < world.dead;
      if (dead || own > timeoutMs) {
        this.timeouts++;
        this.durationMs += timeoutMs;
        continue;
      }
      if (chance.next() < world.attemptFailure) {
        this.durationMs += own * 0.3;
        continue;
      }
      this.durationMs += own;
      this.failed = chance.next() < refused;
      return;
    }
  }
}

/** Runs a scenario. Equal kinds and seeds give equal runs. */
export function simulate(kind: Kind, seed: number): Run {
  const chance = new Chance(seed * 7919 + hash(kind));
  const service = drawService(kind, chance);
  const plan = (INCIDENTS as readonly string[]).includes(kind)
    ? planIncident(kind as IncidentKind, service, chance)
    : planCalm(kind as CalmKind, service, chance);
  const seen = new Dependency(service, chance);
  const truth = new Truth(service, new Chance(seed * 104_729 + hash(kind)), plan.onset);
  const builder = new StepBuilder(service.slowMs);
  const rate = new Drift(0.12, 180, chance);
  const latency = new Drift(0.06, 120, chance);
  const failures = new Drift(0.3, 300, chance);
  const clients = Array.from({ length: CLIENTS }, (_, i) => `client-${i}`);
  const steps: Step[] = [];
  let end = Number.POSITIVE_INFINITY;
  for (let t = 0; t < plan.seconds; t += STEP_S) {
    const world: World = {
      rate: service.rate * rate.next(),
      latency: latency.next(),
      capacity: 1,
      attemptFailure: service.attemptFailure * failures.next(),
      callFailure: service.callFailure,
      dead: 0,
      noisy: 0,
      noisyFailure: service.callFailure,
      noisySlow: 1,
    };
    if (t < end) plan.script(world, t);
    const calm = plan.onset === undefined || t < plan.onset;
    seen.flow(world, calm ? 0.75 : Number.POSITIVE_INFINITY);
    truth.look(world, seen, t);
    if (truth.noticedAt !== undefined && plan.repairAfter !== undefined) {
      end = Math.min(end, truth.noticedAt + plan.repairAfter);
    }
    if (plan.onset !== undefined && plan.atMost !== undefined) {
      end = Math.min(end, plan.onset + plan.atMost);
    }
    let retries = 0;
    let timeouts = 0;
    for (let left = chance.poisson(world.rate * STEP_S); left > 0; left--) {
      const noisy = world.noisy > 0 && chance.next() < world.noisy;
      seen.call(world, noisy);
      retries += seen.retries;
      timeouts += seen.timeouts;
      const key = noisy ? 'client-noisy' : clients[Math.floor(chance.next() * CLIENTS)];
      builder.record(seen.failed, seen.durationMs, key);
    }
    const queue = chance.poisson(seen.queue + (world.rate * seen.waitMs) / 1000);
    steps.push(builder.close(retries, timeouts, queue));
  }
  const step = (seconds: number | undefined): number | undefined =>
    seconds === undefined || seconds >= plan.seconds ? undefined : Math.ceil(seconds / STEP_S);
  return {
    kind,
    seed,
    steps,
    onset: step(plan.onset),
    noticed: step(truth.noticedAt),
    end: plan.onset === undefined ? undefined : (step(end) ?? steps.length),
  };
}

/** Finds out when users notice, by calls of its own, so that a detector's luck has no part in it. */
class Truth {
  readonly #service: Service;
  readonly #chance: Chance;
  readonly #onset: number | undefined;
  #before = 0;
  #beforeSteps = 0;
  /** Bad shares of the last thirty seconds: nobody notices five bad seconds. */
  readonly #recent: number[] = [];
  noticedAt: number | undefined;

  constructor(service: Service, chance: Chance, onset: number | undefined) {
    this.#service = service;
    this.#chance = chance;
    this.#onset = onset;
  }

  look(world: World, seen: Dependency, t: number): void {
    if (this.#onset === undefined || this.noticedAt !== undefined) return;
    // Long before the onset nothing changes, and a few steps say what is normal.
    if (t < this.#onset - 300) return;
    const dependency = new Dependency(this.#service, this.#chance);
    dependency.queue = seen.queue;
    dependency.waitMs = seen.waitMs;
    dependency.full = seen.full;
    let bad = 0;
    for (let i = 0; i < TRUTH_CALLS; i++) {
      dependency.call(world, false);
      if (dependency.failed || dependency.durationMs > this.#service.slowMs) bad++;
    }
    const share = bad / TRUTH_CALLS;
    if (t < this.#onset) {
      this.#before += share;
      this.#beforeSteps++;
      return;
    }
    this.#recent.push(share);
    if (this.#recent.length > 30 / STEP_S) this.#recent.shift();
    const mean = this.#recent.reduce((sum, one) => sum + one, 0) / (30 / STEP_S);
    if (mean - this.#before / this.#beforeSteps >= NOTICED) this.noticedAt = t + STEP_S;
  }
}

function hash(text: string): number {
  let value = 17;
  for (const char of text) value = (Math.imul(value, 31) + char.charCodeAt(0)) >>> 0;
  return value % 1_000_003;
}
