import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { PROBLEM_MEDIA_TYPE } from '../problem.ts';
import { markFault, traceIdOf } from '../trace.ts';
import type { ActiveDecision, ActiveFaults } from './active-faults.ts';
import { corrupted, destroyedBody, shortBody, stalledBody } from './cut-body.ts';
import type { ErrorFault } from './plan.ts';

const DEFAULT_FRACTION = 0.5;

/** Applies the active faults to all routes except `exempt`. The routes are unaware of them. */
export function injectFaults(
  app: FastifyInstance,
  activeFaults: ActiveFaults,
  exempt: string,
): void {
  const decisions = new WeakMap<FastifyRequest, ActiveDecision>();

  app.addHook('onRequest', async (request, reply) => {
    const route = request.is404 ? undefined : request.routeOptions.url;
    if (route === exempt) return;
    const decision = activeFaults.decide({ method: request.method, route });
    if (decision.hits.length === 0) return;
    decisions.set(request, decision);
    const { terminal, delayMs } = decision;
    const unanswered = terminal?.kind === 'hang' || terminal?.kind === 'cut';
    markFault(terminal?.kind, delayMs, unanswered);
    if (delayMs > 0) await delay(request, decision);
    if (terminal?.kind === 'error') await sendError(request, reply, terminal);
    if (terminal?.kind === 'hang' && (terminal.at ?? 'headers') === 'headers') {
      reply.hijack();
      onEnd(terminal.ended.signal, request, () => request.raw.socket.destroy());
    }
  });

  app.addHook('onSend', async (request, reply, payload) => {
    const terminal = decisions.get(request)?.terminal;
    if (terminal === undefined || request.method === 'HEAD') return payload;
    if (typeof payload !== 'string' && !(payload instanceof Uint8Array)) return payload;
    const body = Buffer.from(payload as Uint8Array);
    switch (terminal.kind) {
      case 'corrupt':
        return corrupted(body);
      case 'cut': {
        const bytes = Math.floor(body.length * (terminal.fraction ?? DEFAULT_FRACTION));
        reply.header('content-length', body.length);
        if (terminal.mode !== 'short') return Readable.from(destroyedBody(body, bytes));
        reply.header('connection', 'close');
        return Readable.from(shortBody(body, bytes));
      }
      case 'hang': {
        reply.header('content-length', body.length);
        const released = new Promise<void>((resolve) => {
          onEnd(terminal.ended.signal, request, resolve);
        });
        return Readable.from(stalledBody(body, released));
      }
      default:
        return payload;
    }
  });
}

/** Calls back once, when the fault ends or the client disconnects. */
function onEnd(ended: AbortSignal, request: FastifyRequest, then: () => void): () => void {
  const { socket } = request.raw;
  const forget = (): void => {
    ended.removeEventListener('abort', done);
    socket.off('close', done);
  };
  const done = (): void => {
    forget();
    then();
  };
  ended.addEventListener('abort', done);
  socket.on('close', done);
  if (ended.aborted || socket.destroyed) done();
  return forget;
}

/** Waits until the delay has passed, the client disconnects or a delaying fault ends. */
async function delay(request: FastifyRequest, decision: ActiveDecision): Promise<void> {
  const over = new AbortController();
  const forget = decision.hits.map((fault) =>
    onEnd(fault.ended.signal, request, () => over.abort()),
  );
  await sleep(decision.delayMs, undefined, { signal: over.signal }).catch(() => undefined);
  for (const listener of forget) listener();
}

async function sendError(
  request: FastifyRequest,
  reply: FastifyReply,
  fault: ErrorFault,
): Promise<void> {
  const seconds = fault.retryAfterSeconds;
  if (seconds !== undefined) {
    reply.header(
      'retry-after',
      fault.retryAfterFormat === 'date' ? httpDateAfter(seconds) : String(seconds),
    );
  }
  await reply
    .code(fault.status)
    .header('content-type', PROBLEM_MEDIA_TYPE)
    .send(
      JSON.stringify({
        type: 'urn:parsercraft-registry:problem:fault',
        code: 'fault',
        title: 'A fault is active',
        status: fault.status,
        detail: `An injected fault makes the registry respond with ${fault.status}.`,
        traceId: traceIdOf(request.headers.traceparent as string | undefined),
      }),
    );
}

/** An HTTP date has whole seconds. Rounding up ensures that clients do not retry too early. */
function httpDateAfter(seconds: number): string {
  return new Date(Math.ceil(Date.now() / 1_000 + seconds) * 1_000).toUTCString();
}
