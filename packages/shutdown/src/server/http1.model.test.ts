import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { ManualClock, settle } from '@temper/testkit';
import { Reach } from '@temper/testkit/repository/reach';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Http1Connections } from './http1.ts';

const GRACE = 500;

class FakeSocket extends EventEmitter {
  closed = false;
  bytesRead = 0;
  isPaused = (): boolean => false;
  destroySoon(): void {
    if (this.closed) return;
    this.closed = true;
    this.emit('close');
  }
}

class FakeResponse extends EventEmitter {
  headersSent = false;
  readonly headers = new Map<string, string>();
  setHeader = (name: string, value: string): void => void this.headers.set(name, value);
  getHeader = (name: string): string | undefined => this.headers.get(name);
  removeHeader = (name: string): void => void this.headers.delete(name);
}

/** Expected state of one connection: its open responses, and when it became idle. */
interface Line {
  readonly socket: FakeSocket;
  readonly pending: FakeResponse[];
  idleSince: number;
}

interface Model {
  readonly reach: Reach<'drained' | 'closed' | 'stayed open' | 'pipelined' | 'said close'>;
  readonly lines: Line[];
  saysClose: boolean;
  draining: boolean;
}

class Real {
  readonly clock = new ManualClock();
  readonly connections = new Http1Connections(this.clock, GRACE);
}

type Command = fc.AsyncCommand<Model, Real>;
const pick = (model: Readonly<Model>, at: number): Line | undefined =>
  model.lines.filter(({ socket }) => !socket.closed)[at % 4];

/** Invariants that hold after every command. */
async function check(model: Model, real: Real): Promise<void> {
  await settle();
  const now = real.clock.monotonic();
  let inFlight = 0;
  for (const { socket, pending, idleSince } of model.lines) {
    inFlight += pending.length;
    const due = model.draining && pending.length === 0 && now - idleSince >= GRACE;
    // Closed if and only if it has been idle for the grace period, and never during a request.
    expect(socket.closed).toBe(due);
    model.reach.count('closed', due);
    model.reach.count('stayed open', model.draining && !due);
    model.reach.count('pipelined', pending.length > 1);
    if (!model.saysClose || socket.closed) continue;
    for (const response of pending) {
      if (response.headersSent) continue;
      const last = response === pending.at(-1);
      expect(response.headers.get('Connection')).toBe(last ? 'close' : undefined);
      model.reach.count('said close', last);
    }
  }
  expect(real.connections.inFlight).toBe(inFlight);
}

class Open implements Command {
  check = (model: Readonly<Model>) => !model.draining && model.lines.length < 6;
  async run(model: Model, real: Real): Promise<void> {
    const socket = new FakeSocket();
    real.connections.opened(socket as unknown as Socket);
    model.lines.push({ socket, pending: [], idleSince: real.clock.monotonic() });
    await check(model, real);
  }
  toString = () => 'open';
}

class Request implements Command {
  readonly at: number;
  constructor(at: number) {
    this.at = at;
  }
  check = (model: Readonly<Model>) => pick(model, this.at) !== undefined;
  async run(model: Model, real: Real): Promise<void> {
    const line = pick(model, this.at) as Line;
    const response = new FakeResponse();
    const request = { socket: line.socket, httpVersionMajor: 1 };
    real.connections.requested(
      request as unknown as IncomingMessage,
      response as unknown as ServerResponse,
    );
    line.pending.push(response);
    await check(model, real);
  }
  toString = () => `request(${this.at})`;
}

/** Starts the oldest response of a connection, and ends it in some cases. */
class Answer implements Command {
  readonly at: number;
  readonly ends: boolean;
  constructor(at: number, ends: boolean) {
    this.at = at;
    this.ends = ends;
  }
  check = (model: Readonly<Model>) => (pick(model, this.at)?.pending.length ?? 0) > 0;
  async run(model: Model, real: Real): Promise<void> {
    const line = pick(model, this.at) as Line;
    const response = line.pending[0] as FakeResponse;
    response.headersSent = true;
    if (this.ends) {
      line.pending.shift();
      line.idleSince = real.clock.monotonic();
      response.emit('close');
    }
    await check(model, real);
  }
  toString = () => `answer(${this.at}, ${this.ends ? 'ends' : 'begins'})`;
}

class Advance implements Command {
  readonly ms: number;
  constructor(ms: number) {
    this.ms = ms;
  }
  check = () => true;
  async run(model: Model, real: Real): Promise<void> {
    await real.clock.advance(this.ms);
    await check(model, real);
  }
  toString = () => `advance(${this.ms})`;
}

class Say implements Command {
  readonly what: 'sayClose' | 'drain';
  constructor(what: 'sayClose' | 'drain') {
    this.what = what;
  }
  check = () => true;
  async run(model: Model, real: Real): Promise<void> {
    real.connections[this.what]();
    model.saysClose = true;
    if (this.what === 'drain') model.draining = true;
    model.reach.count('drained', model.draining);
    await check(model, real);
  }
  toString = () => this.what;
}

it('closes an HTTP/1 connection exactly when it has been idle for the grace period', async () => {
  const at = fc.nat({ max: 3 });
  const reach: Model['reach'] = new Reach(
    'drained',
    'closed',
    'stayed open',
    'pipelined',
    'said close',
  );
  await fc.assert(
    fc.asyncProperty(
      fc.commands(
        [
          fc.constant(new Open()),
          at.map((which) => new Request(which)),
          fc.tuple(at, fc.boolean()).map(([which, ends]) => new Answer(which, ends)),
          fc.integer({ min: 1, max: 900 }).map((ms) => new Advance(ms)),
          fc.constantFrom('sayClose', 'drain').map((what) => new Say(what as 'drain')),
        ],
        { maxCommands: 40 },
      ),
      async (commands) => {
        const model: Model = { reach, lines: [], saysClose: false, draining: false };
        const real = new Real();
        await fc.asyncModelRun(() => ({ model, real }), commands);
      },
    ),
    { numRuns: 150 },
  );
  reach.expectAll(10);
});
