import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '@temper/core/policy';
import type { EndpointHolder } from './endpoint.ts';
import { HOSTILE_REQUESTS } from './hostile-requests.ts';
import { type HttpAnswer, HttpCaller } from './http-caller.ts';

/** Result of sending hostile requests. */
interface HostileResult {
  readonly sent: number;
  /** Responses with one of the expected statuses. */
  readonly asExpected: number;
  /** Responses with status 500 or above. */
  readonly serverErrors: number;
  /** Error responses without a problem document that has a trace id. */
  readonly unexplained: number;
  /** Requests without a response. */
  readonly unanswered: number;
  readonly slowestMs: number;
  /** Unexpected responses, each with the request that caused it. At most 10. */
  readonly surprises: readonly string[];
}

/** Pause between two requests, which keeps the drill below the rate limit of one client. */
const PAUSE_MS = 48;
const MAX_SURPRISES = 10;

/** Sends a fixed list of hostile requests, in rounds, until it is aborted. */
export class HostileInput {
  readonly #endpoint: EndpointHolder;
  #result: HostileResult = empty();

  constructor(endpoint: EndpointHolder) {
    this.#endpoint = endpoint;
  }

  /** Result of the current run, or of the last one. */
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
      failure = messageOf(error);
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

/** Whether a response is a problem document with a trace id. */
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
