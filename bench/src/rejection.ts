/** Awaits the rejection of a call and catches it, as a caller does. */
export const caught = (reject: () => Promise<unknown>) => async (): Promise<unknown> => {
  try {
    return await reject();
  } catch (error) {
    return error;
  }
};

/** Makes this many calls at once and waits until all have ended, whichever way. */
export const atOnce = (count: number, call: () => Promise<unknown>) => async (): Promise<void> => {
  const calls: Promise<unknown>[] = [];
  for (let i = 0; i < count; i++) calls.push(call().then(undefined, (error: unknown) => error));
  await Promise.all(calls);
};

/** An error without a stack trace, that says when to call again. */
export function refusal(message: string, retryAfterMs: number): Error {
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = 0;
  const error = Object.assign(new Error(message), { retryAfterMs });
  Error.stackTraceLimit = limit;
  return error;
}

/** Rejects one step later: a promise that is rejected before its caller has it is reported to Node as unhandled. */
export async function rejectLater(error: unknown): Promise<never> {
  await undefined;
  throw error;
}

/** A transient error, the same one each time, so that no row pays for its stack trace. */
export const refused: Error = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:4873'), {
  code: 'ECONNREFUSED',
});
/** The caller's own mistake, which is not worth another attempt. */
export const mistaken: Error = Object.assign(new Error('Bad Request'), { status: 400 });

/** An operation that fails asynchronously. */
export const failWith = (error: Error) => async (): Promise<never> => {
  throw error;
};
