/** What each client still owes: workers that ended during its jobs, and are not yet replaced. */
export class Debts {
  readonly #owed = new Map<string, Set<Promise<void>>>();

  /** @param paid - when nothing is owed any more; never rejects. Undefined owes nothing */
  add(client: string | undefined, paid: Promise<void> | undefined): void {
    if (client === undefined || paid === undefined) return;
    const owed = this.#owed.get(client) ?? new Set();
    this.#owed.set(client, owed.add(paid));
    void paid.then(() => {
      owed.delete(paid);
      if (owed.size === 0) this.#owed.delete(client);
    });
  }

  /**
   * Resolves when a client owes nothing, and rejects with the reason of the signal. Undefined when it owes
   * nothing now.
   */
  settled(client: string | undefined, signal: AbortSignal): Promise<void> | undefined {
    const owed = client === undefined ? undefined : this.#owed.get(client);
    return owed === undefined ? undefined : allOf(owed, signal);
  }
}

/** Resolves when a set of promises that shrinks and grows is empty. */
async function allOf(owed: ReadonlySet<Promise<void>>, signal: AbortSignal): Promise<void> {
  const { promise: gone, reject } = Promise.withResolvers<never>();
  const leave = (): void => reject(signal.reason);
  if (signal.aborted) leave();
  else signal.addEventListener('abort', leave, { once: true });
  try {
    while (owed.size > 0) await Promise.race([Promise.all(owed), gone]);
  } finally {
    signal.removeEventListener('abort', leave);
  }
}
