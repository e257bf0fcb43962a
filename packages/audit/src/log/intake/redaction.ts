import { createHmac, type KeyObject } from 'node:crypto';
import { cleanText, quote } from '../../chain/canonical-json.ts';

/**
 * What happens to a value that a rule finds: `drop` leaves it out, `mask` puts `[redacted]` in its
 * place, `hash` puts a keyed hash there, by which equal values can still be told to be equal.
 */
export type RedactionAction = 'drop' | 'mask' | 'hash';

/** Finds values that must not be written down. */
export type RedactionRule =
  | {
      /**
       * Keys, at any depth of `details`. Case, hyphens and underscores make no difference: `apiKey`
       * finds `API_KEY` and `api-key`.
       */
      readonly keys: readonly string[];
      readonly action: RedactionAction;
    }
  | {
      /**
       * Paths from the event's root: `details.user.email`, `details.cards.*.number`, `actor.name`,
       * `error.message`, `resource`. A `*` stands for one key or index. What the log itself needs
       * (`resource`, `actor.id`, `error.name`, `error.message`) cannot be dropped.
       */
      readonly paths: readonly string[];
      readonly action: RedactionAction;
    }
  | {
      /** Text inside any string of details, error, resource and actor. */
      readonly pattern: RegExp;
      readonly action: Exclude<RedactionAction, 'drop'>;
    };

/** How the log redacts. */
export interface RedactionOptions {
  /**
   * The rules; where several find a value, the first one counts.
   *
   * @defaultValue {@link defaultRedactionRules}
   */
  readonly rules?: readonly RedactionRule[];
  /** Key of the keyed hash (HMAC-SHA256), at least 16 bytes. Needed by rules that say `hash`. */
  readonly key?: string | Uint8Array | KeyObject;
}

/** What a masked value becomes. */
export const MASK = '[redacted]';

/** Keys that hold secrets nearly everywhere. */
export const defaultRedactionRules: readonly RedactionRule[] = [
  {
    keys: [
      'password',
      'passwd',
      'passphrase',
      'secret',
      'clientSecret',
      'token',
      'accessToken',
      'refreshToken',
      'idToken',
      'sessionToken',
      'authorization',
      'proxyAuthorization',
      'cookie',
      'setCookie',
      'apiKey',
      'xApiKey',
      'privateKey',
      'secretKey',
      'credentials',
      'cardNumber',
      'cvv',
      'cvc',
      'ssn',
    ],
    action: 'mask',
  },
];

/** Paths whose value the log cannot do without. */
const NEEDED: ReadonlySet<string> = new Set([
  'resource',
  'actor',
  'actor.id',
  'error.name',
  'error.message',
  'details',
]);
const ROOTS: ReadonlySet<string> = new Set(['details', 'actor', 'error', 'resource']);
/** Distinct keys remembered; beyond that they are looked up anew each time. */
const KEY_CACHE_LIMIT = 2_000;

/** What a {@link Redactor} knows of a key. */
export interface KeyInfo {
  /** The key as every store accepts it. */
  readonly clean: string;
  /** It in canonical JSON, with its colon. */
  readonly json: string;
  readonly action: RedactionAction | undefined;
}

/** A place in the tree of path rules. */
interface PathNode {
  action?: RedactionAction;
  readonly children: Map<string, PathNode>;
}

/** Where a walk through a value stands among the path rules. Undefined: no rule can match below. */
export type PathState = readonly PathNode[] | undefined;

/**
 * The keyed hash as it stands in a log: `hmac-sha256:` and 64 hexadecimal digits. To look for a value
 * that was hashed, hash it with the same key and query for the result.
 */
export function keyedHash(key: string | Uint8Array | KeyObject, text: string): string {
  return `hmac-sha256:${createHmac('sha256', key).update(text).digest('hex')}`;
}

/** Compiled {@link RedactionRule}s. */
export class Redactor {
  readonly #keys: Map<string, RedactionAction> = new Map();
  readonly #seen: Map<string, KeyInfo> = new Map();
  readonly #paths: PathNode = { children: new Map() };
  readonly #patterns: { readonly pattern: RegExp; readonly action: RedactionAction }[] = [];
  readonly #key: string | Uint8Array | KeyObject | undefined;

  /** @throws {TypeError} when a rule is malformed, or asks for a hash and there is no key */
  constructor({ rules = defaultRedactionRules, key }: RedactionOptions = {}) {
    this.#key = key;
    if (key !== undefined && keyLength(key) < 16) {
      throw new TypeError('auditLog: redaction.key must be at least 16 bytes.');
    }
    for (const rule of rules) this.#add(rule);
  }

  #add(rule: RedactionRule): void {
    if (rule.action === 'hash' && this.#key === undefined) {
      throw new TypeError("auditLog: redaction.key must be given when a rule's action is 'hash'.");
    }
    if ('keys' in rule) {
      for (const key of rule.keys) {
        const normal = normalise(key);
        if (!this.#keys.has(normal)) this.#keys.set(normal, rule.action);
      }
    } else if ('paths' in rule) {
      for (const path of rule.paths) this.#addPath(path, rule.action);
    } else if (rule.pattern instanceof RegExp && (rule.action as string) !== 'drop') {
      const { source, flags } = rule.pattern;
      const pattern = new RegExp(source, flags.includes('g') ? flags : `${flags}g`);
      this.#patterns.push({ pattern, action: rule.action });
    } else {
      throw new TypeError(
        'auditLog: a redaction rule needs keys, paths, or a pattern to mask or hash.',
      );
    }
  }

  #addPath(path: string, action: RedactionAction): void {
    const segments = path.split('.');
    if (!ROOTS.has(segments[0] as string) || segments.includes('')) {
      throw new TypeError(
        `auditLog: a redaction path must start at details, actor, error or resource, got '${path}'.`,
      );
    }
    if (action === 'drop' && NEEDED.has(path)) {
      throw new TypeError(
        `auditLog: the redaction path '${path}' cannot be dropped, only masked or hashed.`,
      );
    }
    let node = this.#paths;
    for (const segment of segments) {
      let child = node.children.get(segment);
      if (child === undefined) {
        child = { children: new Map() };
        node.children.set(segment, child);
      }
      node = child;
    }
    node.action ??= action;
  }

  /** The walk's beginning, for one field of the event. */
  start(field: string): PathState {
    const node = this.#paths.children.get(field);
    return node === undefined ? undefined : [node];
  }

  /** The walk's next step. */
  descend(state: PathState, key: string): PathState {
    if (state === undefined) return undefined;
    const next: PathNode[] = [];
    for (const { children } of state) {
      const exact = children.get(key);
      const any = children.get('*');
      if (exact !== undefined) next.push(exact);
      if (any !== undefined) next.push(any);
    }
    return next.length === 0 ? undefined : next;
  }

  /** What a path rule says about the value here. */
  actionAt(state: PathState): RedactionAction | undefined {
    return state?.find((node) => node.action !== undefined)?.action;
  }

  /** Whether there are rules about text inside strings. */
  get hasPatterns(): boolean {
    return this.#patterns.length > 0;
  }

  /** What a key rule says about the value under this key. */
  actionFor(key: string): RedactionAction | undefined {
    return this.keyInfo(key).action;
  }

  /** What can be told of a key once and for all. Keys come again and again. */
  keyInfo(key: string): KeyInfo {
    let info = this.#seen.get(key);
    if (info === undefined) {
      const clean = cleanText(key);
      info = { clean, json: `${quote(clean)}:`, action: this.#keys.get(normalise(clean)) };
      if (this.#seen.size < KEY_CACHE_LIMIT) this.#seen.set(key, info);
    }
    return info;
  }

  /** Applies the pattern rules to a text. */
  text(text: string): string {
    let result = text;
    for (const { pattern, action } of this.#patterns) {
      result = result.replace(pattern, (found) => this.replacement(action, found));
    }
    return result;
  }

  /** What stands in place of a masked or hashed value. */
  replacement(action: RedactionAction, text: string): string {
    return action === 'hash' && this.#key !== undefined ? keyedHash(this.#key, text) : MASK;
  }
}

function normalise(key: string): string {
  return key.toLowerCase().replaceAll(/[-_\s]/g, '');
}

function keyLength(key: string | Uint8Array | KeyObject): number {
  if (typeof key === 'string') return Buffer.byteLength(key);
  return key instanceof Uint8Array ? key.length : (key.symmetricKeySize ?? 0);
}
