import { ManualClock, settle } from '@temper/testkit/clock';
import { Agent, type Dispatcher } from 'undici';
import { onTestFinished } from 'vitest';
import {
  dispatcherInterceptor,
  type HttpResilienceOptions,
  type ResilientFetch,
  type ResilientFetchOptions,
  type ResilientInterceptor,
  resilientFetch,
} from '../../src/fetch/index.ts';
import { type Answer, FaultServer } from './fault-server.ts';

/** A server for the rest of the test. */
export async function serve(...script: Answer[]): Promise<FaultServer> {
  const server = await FaultServer.start(...script);
  onTestFinished(() => server[Symbol.asyncDispose]());
  return server;
}

/** A fetch with waits of a millisecond, on the system clock. */
export function quick(options: ResilientFetchOptions = {}): ResilientFetch {
  return resilientFetch({ ...options, retry: { initialDelayMs: 1, ...options.retry } });
}

/** A fetch on a manual clock, with the default waits and the longest jitter. */
export function still(
  options: ResilientFetchOptions = {},
  clock: ManualClock = new ManualClock(),
): { clock: ManualClock; fetch: ResilientFetch; waiting: () => Promise<void> } {
  let begun: (() => void) | undefined;
  const onRetry = (): void => begun?.();
  const fetch = resilientFetch({ clock, random: () => 1, retry: { onRetry }, ...options });
  /** Waits until a wait between two attempts has begun. */
  const waiting = async (): Promise<void> => {
    await new Promise<void>((resolve) => {
      begun = resolve;
    });
    await settle();
  };
  return { clock, fetch, waiting };
}

/** An agent of undici behind the interceptor, for the rest of the test. */
export function agentWith(
  options: HttpResilienceOptions = {},
  ...more: Dispatcher.DispatcherComposeInterceptor[]
): { guard: ResilientInterceptor; agent: Dispatcher } {
  const guard = dispatcherInterceptor({
    ...options,
    retry: options.retry ?? { initialDelayMs: 1 },
  });
  const agent = new Agent();
  onTestFinished(() => agent.destroy());
  return { guard, agent: agent.compose([guard, ...more]) };
}

/** Sends a request through the agent. */
export async function ask(
  agent: Dispatcher,
  server: FaultServer,
  options: Partial<Dispatcher.RequestOptions> = {},
): Promise<[status: number, body: string]> {
  const { statusCode, body } = await agent.request({
    origin: server.origin,
    path: '/',
    method: 'GET',
    ...options,
  });
  return [statusCode, await body.text()];
}
