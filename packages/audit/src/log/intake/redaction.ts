import { createHmac, KeyObject } from 'node:crypto';
import { checkKnown, checkOneOf, type OptionRule, resolveOptions, show } from '@temper/core/policy';
import { cleanText, quote } from '../../chain/canonical-json.ts';
import { listRule, textsRule } from '../../option-rules.ts';

/**
 * Action on a matching value: `drop` omits it, `mask` replaces it by `[redacted]`, `hash` replaces it
 * by a keyed hash, so that equal values can still be recognised.
 */
export type RedactionAction = 'drop' | 'mask' | 'hash';

/** Selects values to redact. */
export type RedactionRule =
  | {
      /**
       * Keys at any depth of `details`. Case, hyphens and underscores are ignored: `apiKey` matches
       * `API_KEY` and `api-key`.
       */
      readonly keys: readonly string[];
      readonly action: RedactionAction;
    }
  | {
      /**
       * Paths from the event's root: `details.user.email`, `details.cards.*.number`, `actor.name`,
       * `error.message`, `resource`. A `*` matches one key or index. Required fields (`resource`,
       * `actor.id`, `error.name`, `error.message`) cannot be dropped.
       */
      readonly paths: readonly string[];
      readonly action: RedactionAction;
    }
  | {
      /** Matches text inside any string of details, error, resource and actor. */
      readonly pattern: RegExp;
      readonly action: Exclude<RedactionAction, 'drop'>;
    };

/** Options of redaction. */
export interface RedactionOptions {
  /**
   * The rules; the first matching rule applies.
   *
   * @defaultValue {@link defaultRedactionRules}
   */
  readonly rules?: readonly RedactionRule[];
  /** Key of the keyed hash (HMAC-SHA256), at least 16 bytes. Required by rules with the action `hash`. */
  readonly key?: string | Uint8Array | KeyObject;
}

/** Replaces a masked value. */
export const MASK = '[redacted]';

/** Masks common keys of secrets. */
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

/** Paths of required fields, which cannot be dropped. */
const REQUIRED_PATHS: ReadonlySet<string> = new Set([
  'resource',
  'actor',
  'actor.id',
  'error.name',
  'error.message',
  'details',
]);
const ROOTS: ReadonlySet<string> = new Set(['details', 'actor', 'error', 'resource']);
/** Maximum number of cached keys. */
const KEY_CACHE_LIMIT = 2_000;

/** Cached properties of a key. */
export interface KeyInfo {
  /** The key as well-formed text without NUL. */
  readonly clean: string;
  /** The key in canonical JSON, with the colon. */
  readonly json: string;
  readonly action: RedactionAction | undefined;
}

/** A node in the tree of path rules. */
interface PathNode {
  action?: RedactionAction;
  readonly children: Map<string, PathNode>;
}

/** Position of a traversal in the path rules; undefined if no rule can match below it. */
export type PathState = readonly PathNode[] | undefined;

/**
 * The keyed hash as it is stored: `hmac-sha256:` and 64 hexadecimal digits. To find a hashed value,
 * hash it with the same key and query for the result.
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

  /** @throws {TypeError} if a rule is malformed, or has the action `hash` and there is no key */
  constructor(options: RedactionOptions = {}) {
    const { rules, key } = resolveOptions<RedactionOptions, 'key'>(
      'auditLog: redaction',
      options,
      { rules: defaultRedactionRules },
      { rules: listRule, key: checkKey },
    );
    this.#key = key;
    for (const rule of rules) this.#add(rule);
  }

  #add(rule: RedactionRule): void {
    const owner = 'auditLog: a redaction rule';
    checkKnown(owner, rule, ['keys', 'paths', 'pattern', 'action']);
    checkOneOf(owner, 'action', rule.action, ['drop', 'mask', 'hash']);
    if (rule.action === 'hash' && this.#key === undefined) {
      throw new TypeError("auditLog: redaction.key must be given when a rule's action is 'hash'.");
    }
    if ('keys' in rule) {
      textsRule(owner, 'keys', rule.keys);
      for (const key of rule.keys) {
        const normal = normalise(key);
        if (!this.#keys.has(normal)) this.#keys.set(normal, rule.action);
      }
    } else if ('paths' in rule) {
      textsRule(owner, 'paths', rule.paths);
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
        `auditLog: a redaction path must start at details, actor, error or resource, got ${show(path)}.`,
      );
    }
    if (action === 'drop' && REQUIRED_PATHS.has(path)) {
      throw new TypeError(
        `auditLog: the redaction path ${show(path)} cannot be dropped, only masked or hashed.`,
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

  /** Start state for one field of the event. */
  start(field: string): PathState {
    const node = this.#paths.children.get(field);
    return node === undefined ? undefined : [node];
  }

  /** State below `key`. */
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

  /** Action of the path rule that matches at `state`. */
  actionAt(state: PathState): RedactionAction | undefined {
    return state?.find((node) => node.action !== undefined)?.action;
  }

  /** Whether there are pattern rules. */
  get hasPatterns(): boolean {
    return this.#patterns.length > 0;
  }

  /** Action of the key rule that matches `key`. */
  actionFor(key: string): RedactionAction | undefined {
    return this.keyInfo(key).action;
  }

  /** Properties of a key, cached. */
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

  /** Replacement of a masked or hashed value. */
  replacement(action: RedactionAction, text: string): string {
    return action === 'hash' && this.#key !== undefined ? keyedHash(this.#key, text) : MASK;
  }
}

const checkKey: OptionRule = (_owner, _option, key) => {
  const bytes = keyLength(key);
  if (bytes === undefined) {
    throw new TypeError(
      `auditLog: redaction.key must be a string, a Uint8Array or a secret KeyObject, got ${typeof key}.`,
    );
  }
  if (bytes < 16) throw new TypeError('auditLog: redaction.key must be at least 16 bytes.');
};

function normalise(key: string): string {
  return key.toLowerCase().replaceAll(/[-_\s]/g, '');
}

/** In bytes; undefined if `key` is not a key. */
function keyLength(key: unknown): number | undefined {
  if (typeof key === 'string') return Buffer.byteLength(key);
  if (key instanceof Uint8Array) return key.length;
  return key instanceof KeyObject ? (key.symmetricKeySize ?? 0) : undefined;
}
