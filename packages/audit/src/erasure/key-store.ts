/** A key of one subject. */
export interface SubjectKey {
  /** Random identifier, which is in the log and says nothing about the subject. */
  readonly id: string;
  /** 32 random bytes. */
  readonly key: Uint8Array;
}

/**
 * Where keys are kept: apart from the log, and from its backups. Implement it to keep them in a database or
 * a KMS. `subject` is any string; stores that write it down must erase it too.
 */
export interface KeyStore {
  /** The present key of a subject; undefined if there is none. */
  current(subject: string): Promise<SubjectKey | undefined>;
  /**
   * Stores a key unless the subject has one, atomically, and returns the subject's key. Resolves when it
   * is durable.
   */
  create(subject: string, key: SubjectKey): Promise<SubjectKey>;
  /** The key with an id; undefined if it was destroyed. */
  find(id: string): Promise<Uint8Array | undefined>;
  /**
   * Destroys every key of a subject and returns their ids. Resolves when they cannot come back, not even
   * after a crash.
   */
  destroy(subject: string): Promise<readonly string[]>;
}
