import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { methodsRule, resolveOptions, show } from '@temper/core/policy';
import { canonicalize, type JsonValue } from '../chain/canonical-json.ts';
import type { KeyStore, SubjectKey } from './key-store.ts';

const OWNER = 'subjectKeys';
const PREFIX = 'sealed:v1:';
const SEALED = /^sealed:v1:([0-9a-f]{32}):([A-Za-z0-9_-]+)$/;
const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const ID_BYTES = 16;
/** 96 random bits; NIST SP 800-38D allows 2^32 values under one key. */
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Values are padded to multiples of this, so that their length tells little. */
const PAD_BYTES = 64;
/** Longest value as JSON: its sealed text stays below the default `limits.maxStringLength`. */
const MAX_VALUE_BYTES = 1_024;

/** Options of {@link subjectKeys}. */
export interface SubjectKeysOptions {
  /** Where the keys are kept. */
  readonly store: KeyStore;
}

/** Encrypts personal details per subject, so that they can be erased by destroying a key. */
export interface SubjectKeys {
  /**
   * Encrypts a value with the subject's key, which is created if there is none. The result is a string for
   * the details of an event. The name of the subject is not in it.
   *
   * @throws {TypeError} if the value is not JSON, or the subject is not a non-empty string
   * @throws {RangeError} if the value has more than 1024 bytes as JSON
   */
  seal(subject: string, value: JsonValue): Promise<string>;
  /**
   * An identifier of a subject for `actor` or `resource`: the same until the subject is forgotten, and
   * then linked to nothing. Creates a key if there is none.
   */
  pseudonym(subject: string): Promise<string>;
  /**
   * Decrypts a value; undefined if its subject is forgotten.
   *
   * @throws {TypeError} if the text is not a sealed value, or was changed
   */
  open(sealed: string): Promise<JsonValue | undefined>;
  /**
   * A copy of a JSON value with every sealed string in it decrypted. Those of forgotten subjects stay
   * as they are.
   *
   * @throws {TypeError} if one was changed
   */
  reveal<T extends JsonValue>(value: T): Promise<JsonValue>;
  /**
   * Destroys the subject's key, and with it every value sealed for the subject. Resolves with the ids of
   * the destroyed keys, none if there was none, when they cannot come back.
   */
  forget(subject: string): Promise<readonly string[]>;
}

/**
 * Creates the keys of the subjects of a log.
 *
 * @throws {TypeError} if an option is invalid
 */
export function subjectKeys(options: SubjectKeysOptions): SubjectKeys {
  const storeRule = methodsRule('current', 'create', 'find', 'destroy');
  const { store } = resolveOptions<SubjectKeysOptions, 'store'>(
    OWNER,
    options,
    {},
    { store: storeRule },
  );
  storeRule(OWNER, 'store', store);
  return new Keys(store as KeyStore);
}

class Keys implements SubjectKeys {
  readonly #store: KeyStore;

  constructor(store: KeyStore) {
    this.#store = store;
  }

  async seal(subject: string, value: JsonValue): Promise<string> {
    const text = canonicalize(value);
    const size = Buffer.byteLength(text);
    if (size > MAX_VALUE_BYTES) {
      throw new RangeError(
        `A sealed value must not have more than ${MAX_VALUE_BYTES} bytes as JSON, got ${size}.`,
      );
    }
    const { id, key } = await this.#keyOf(subject);
    const nonce = randomBytes(NONCE_BYTES);
    const cipher = createCipheriv(CIPHER, key, nonce).setAAD(Buffer.from(PREFIX + id));
    // JSON may end in white space, so the padding needs no length of its own.
    const padding = ' '.repeat((PAD_BYTES - (size % PAD_BYTES)) % PAD_BYTES);
    const sealed = [nonce, cipher.update(text + padding, 'utf8'), cipher.final()];
    const data = Buffer.concat([...sealed, cipher.getAuthTag()]).toString('base64url');
    return `${PREFIX}${id}:${data}`;
  }

  async pseudonym(subject: string): Promise<string> {
    return `subject:${(await this.#keyOf(subject)).id}`;
  }

  async #keyOf(subject: string): Promise<SubjectKey> {
    checkSubject(subject);
    const present = await this.#store.current(subject);
    if (present !== undefined) return present;
    const id = randomBytes(ID_BYTES).toString('hex');
    return this.#store.create(subject, { id, key: randomBytes(KEY_BYTES) });
  }

  async open(sealed: string): Promise<JsonValue | undefined> {
    const [, id = '', data = ''] = (typeof sealed === 'string' && SEALED.exec(sealed)) || [];
    const bytes = Buffer.from(data, 'base64url');
    const end = bytes.length - TAG_BYTES;
    if (end < NONCE_BYTES || bytes.toString('base64url') !== data) {
      throw new TypeError('The text is not a sealed value.');
    }
    const key = await this.#store.find(id);
    if (key === undefined) return undefined;
    const cipher = createDecipheriv(CIPHER, key, bytes.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    });
    cipher.setAAD(Buffer.from(PREFIX + id)).setAuthTag(bytes.subarray(end));
    try {
      const text = Buffer.concat([cipher.update(bytes.subarray(NONCE_BYTES, end)), cipher.final()]);
      return JSON.parse(text.toString('utf8')) as JsonValue;
    } catch (error) {
      throw new TypeError('The sealed value was changed, or its key was.', { cause: error });
    }
  }

  async reveal(value: JsonValue): Promise<JsonValue> {
    if (typeof value === 'string') {
      return SEALED.test(value) ? ((await this.open(value)) ?? value) : value;
    }
    if (typeof value !== 'object' || value === null) return value;
    if (Array.isArray(value)) return Promise.all(value.map((item) => this.reveal(item)));
    const fields = Object.entries(value).map(async ([key, item]) => [key, await this.reveal(item)]);
    return Object.fromEntries(await Promise.all(fields)) as JsonValue;
  }

  async forget(subject: string): Promise<readonly string[]> {
    checkSubject(subject);
    return this.#store.destroy(subject);
  }
}

function checkSubject(subject: string): void {
  if (typeof subject === 'string' && subject !== '') return;
  throw new TypeError(`A subject must be a non-empty string, got ${show(subject)}.`);
}
