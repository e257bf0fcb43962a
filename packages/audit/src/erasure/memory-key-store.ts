import type { KeyStore, SubjectKey } from './key-store.ts';

/** Keeps keys in memory, for tests: when the process ends, everything is forgotten. */
export function memoryKeyStore(): KeyStore {
  return new MemoryKeyStore();
}

class MemoryKeyStore implements KeyStore {
  readonly #subjects = new Map<string, SubjectKey>();
  readonly #keys = new Map<string, Uint8Array>();

  // Copies: a key that is being destroyed becomes zeros, and nothing must be sealed with those.
  async current(subject: string): Promise<SubjectKey | undefined> {
    const present = this.#subjects.get(subject);
    return present === undefined ? undefined : { id: present.id, key: Buffer.from(present.key) };
  }

  async create(subject: string, { id, key }: SubjectKey): Promise<SubjectKey> {
    // No await in between: two callers must get one key.
    const present = this.#subjects.get(subject);
    if (present !== undefined) return { id: present.id, key: Buffer.from(present.key) };
    const own = { id, key: Buffer.from(key) };
    this.#subjects.set(subject, own);
    this.#keys.set(id, own.key);
    return { id, key };
  }

  async find(id: string): Promise<Uint8Array | undefined> {
    const key = this.#keys.get(id);
    return key === undefined ? undefined : Buffer.from(key);
  }

  async destroy(subject: string): Promise<readonly string[]> {
    const present = this.#subjects.get(subject);
    if (present === undefined) return [];
    this.#subjects.delete(subject);
    this.#keys.delete(present.id);
    present.key.fill(0);
    return [present.id];
  }
}
