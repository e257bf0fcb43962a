import { setTimeout as sleep } from 'node:timers/promises';
import type { EndpointHolder } from './endpoint.ts';
import { HOSTILE_REQUESTS } from './hostile-requests.ts';
import { type HttpAnswer, HttpCaller } from './http-caller.ts';

/** What became of hostile requests. */
interface HostileResult {
  readonly sent: number;
  /** Refused, or answered, as they should be. */
  readonly asExpected: number;
  /** Answered with 500 or more. */
  readonly serverErrors: number;
  /** Refusals that were no problem document with the id of a trace. */
  readonly unexplained: number;
  /** Without any answer. */
  readonly unanswered: number;
  readonly slowestMs: number;
  /** What was not as it should be: the request and what came back. */
  readonly surprises: readonly string[];
}

/** Pause between two requests: within what one client may ask. */
const PAUSE_MS = 48;
const MAX_SURPRISES = 10;

/** Sends what would hurt a trusting service, again and again until it is told to stop. */
export class HostileInput {
  readonly #endpoint: EndpointHolder;
  #result: HostileResult = empty();

  constructor(endpoint: EndpointHolder) {
    this.#endpoint = endpoint;
  }

  /** Of the last run, or of the one under way. */
  get result(): HostileResult {
    return this.#result;
  }

  async run(
    signal: AbortSignal,
    rounds: number = Number.POSITIVE_INFINITY,
  ): Promise<HostileResult> {
    using caller = new HttpCaller(this.#endpoint.get().url);
    this.#result = empty();
    for (let round = 0; round < rounds && !signal.aborted; round += 1) {
      for (const { what, question, statuses } of HOSTILE_REQUESTS) {
        if (signal.aborted) break;
        await this.#send(what, statuses, () => caller.call(question));
        await sleep(PAUSE_MS, undefined, { signal }).catch(() => undefined);
      }
    }
    return this.#result;
  }

  async #send(
    what: string,
    statuses: readonly number[],
    send: () => Promise<HttpAnswer>,
  ): Promise<void> {
    let answer: HttpAnswer | undefined;
    let failure = '';
    try {
      answer = await send();
    } catch (error) {
      failure = (error as Error).message;
    }
    const before = this.#result;
    const expected = answer !== undefined && statuses.includes(answer.status);
    const explained = answer === undefined || answer.status < 400 || isProblem(answer);
    const surprise =
      expected && explained
        ? undefined
        : `${what}: ${answer === undefined ? failure : `${answer.status} ${answer.body.slice(0, 120)}`}`;
    this.#result = {
      sent: before.sent + 1,
      asExpected: before.asExpected + (expected ? 1 : 0),
      serverErrors: before.serverErrors + (answer !== undefined && answer.status >= 500 ? 1 : 0),
      unexplained: before.unexplained + (explained ? 0 : 1),
      unanswered: before.unanswered + (answer === undefined ? 1 : 0),
      slowestMs: Math.round(Math.max(before.slowestMs, answer?.durationMs ?? 0)),
      surprises:
        surprise === undefined || before.surprises.length >= MAX_SURPRISES
          ? before.surprises
          : [...before.surprises, surprise],
    };
  }
}

function empty(): HostileResult {
  return {
    sent: 0,
    asExpected: 0,
    serverErrors: 0,
    unexplained: 0,
    unanswered: 0,
    slowestMs: 0,
    surprises: [],
  };
}

/** Whether an answer is a problem document with the id of its trace. */
export function isProblem({ headers, body }: HttpAnswer): boolean {
  if (headers['content-type']?.startsWith('application/problem+json') !== true) return false;
  try {
    const { code, traceId, status } = JSON.parse(body) as Record<string, unknown>;
    return (
      typeof code === 'string' &&
      typeof status === 'number' &&
      /^[0-9a-f]{32}$/.test(String(traceId))
    );
  } catch {
    return false;
  }
}
