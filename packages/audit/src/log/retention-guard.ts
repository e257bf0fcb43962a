import type { Clock } from '@temper/core';
import type { ChainHead } from '../chain/hash-chain.ts';
import { parseLine } from '../chain/hash-chain.ts';
import type { AuditSource } from '../sinks/sink.ts';
import { Holds } from './holds.ts';
import { OWN_EVENT_TYPE } from './own-events.ts';

/** What keeps retention from removing events. */
export interface RetentionState {
  /** Names of the legal holds in force: nothing is removed. */
  readonly holds: readonly string[];
  /** Milliseconds by which the clock has gone forward without confirmation: nothing is removed by age. */
  readonly clockStepMs: number;
}

/** A statement of the log about its retention. */
interface Statement {
  readonly action: string;
  readonly details: { readonly [key: string]: unknown };
}

const FILTER = {
  equals: new Map([
    ['eventType', [OWN_EVENT_TYPE]],
    ['action', ['hold', 'release', 'clock']],
  ] as const),
  mayMatch: (line: string): boolean => line.includes(`"eventType":"${OWN_EVENT_TYPE}"`),
};

/**
 * Decides whether retention may remove events: not while a legal hold is in force, and none for their age
 * after the clock has gone forward by more than it can have, until it has gone back or somebody has
 * confirmed it. What it knows is in the log: the statements `hold`, `release` and `clock`.
 */
export class RetentionGuard {
  readonly #clock: Clock;
  readonly #maxStepMs: number;
  readonly #source: () => AuditSource;
  readonly #holds: Holds = new Holds();
  #stepMs = 0;
  /** Wall time and monotonic time of the last event. */
  #wall: number | undefined;
  #monotonic = 0;
  /** Last event of earlier processes. */
  #opened = 0;
  #loading: Promise<void> | undefined;
  #loaded = false;
  /** Statements of this process, until those of earlier ones are read. */
  readonly #own: Statement[] = [];

  constructor(clock: Clock, maxStepMs: number, source: () => AuditSource) {
    this.#clock = clock;
    this.#maxStepMs = maxStepMs;
    this.#source = source;
  }

  /** Begins after the last event of earlier processes, whose time the clock is compared with. */
  begin({ sequence, timestamp }: ChainHead & { readonly timestamp?: string | undefined }): void {
    this.#opened = sequence;
    this.#loaded = sequence === 0;
    this.#wall = timestamp === undefined ? this.#clock.now() : Date.parse(timestamp);
    this.#monotonic = this.#clock.monotonic();
  }

  /** Milliseconds by which the clock has gone forward or back since the last event, if that is too much. */
  observe(): number | undefined {
    const [wall, monotonic] = [this.#clock.now(), this.#clock.monotonic()];
    const step = wall - (this.#wall ?? wall) - (monotonic - this.#monotonic);
    this.#wall = wall;
    this.#monotonic = monotonic;
    return Math.abs(step) > this.#maxStepMs ? Math.round(step) : undefined;
  }

  /** Adds a statement of this process. */
  state(statement: Statement): void {
    if (this.#loaded) this.#apply(statement);
    else this.#own.push(statement);
  }

  /** Puts a hold into force at once, before it is stated. */
  hold(name: string): void {
    this.#holds.add(name);
  }

  /** Reads the statements of earlier processes, once. */
  async load(): Promise<RetentionState> {
    if (this.#loaded) return this.known;
    this.#loading ??= this.#read().catch((error: unknown) => {
      this.#loading = undefined;
      throw error;
    });
    await this.#loading;
    return this.known;
  }

  async #read(): Promise<void> {
    const found: Statement[] = [];
    if (this.#opened > 0) {
      for await (const lines of this.#source().read({ to: this.#opened, filter: FILTER })) {
        for (const line of lines) {
          if (!FILTER.mayMatch(line)) continue;
          const { eventType, action, details } = parseLine(line);
          if (eventType === OWN_EVENT_TYPE) found.push({ action, details });
        }
      }
    }
    for (const statement of [...found, ...this.#own]) this.#apply(statement);
    this.#loaded = true;
    this.#own.length = 0;
  }

  #apply({ action, details }: Statement): void {
    this.#holds.apply(action, details);
    const { stepMs } = details;
    // Never below zero: a clock that goes forward after it went back makes events of the time between old.
    if (action === 'clock' && typeof stepMs === 'number') {
      this.#stepMs = Math.max(0, this.#stepMs + stepMs);
      if (this.#stepMs <= this.#maxStepMs) this.#stepMs = 0;
    }
  }

  /** The state, if nothing has to be read for it. */
  get ready(): RetentionState | undefined {
    return this.#loaded ? this.known : undefined;
  }

  /** As far as it is known without reading. */
  get known(): RetentionState {
    return { holds: this.#holds.names, clockStepMs: this.#stepMs };
  }
}
