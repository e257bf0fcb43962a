import { classify } from '@temper/core';

/**
 * Whether an error says that a backend had more to do than it can: a timeout, a refusal for lack of
 * resources, a connection that broke or was not accepted. Other errors are answers like any other.
 */
export function isOverload(error: unknown): boolean {
  const { category, transient } = classify(error);
  return (
    category === 'timeout' || (transient && (category === 'resource' || category === 'network'))
  );
}
