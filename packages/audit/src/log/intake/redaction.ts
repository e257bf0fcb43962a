import { createHmac, KeyObject } from 'node:crypto';
import { checkKnown, checkOneOf, type OptionRule, resolveOptions, show } from '@temper/core/policy';
import { cleanText, quote } from '../../chain/canonical-json.ts';
import { listRule, textsRule } from '../../option-rules.ts';
import { KeyMatcher, wordsOf } from './key-words.ts';
import {
  defaultRedactionRules,
  type RedactionAction,
  type RedactionOptions,
  type RedactionRule,
} from './redaction-rules.ts';
import { isCardNumber, maskValues, maySecret } from './secret-values.ts';

/** Replaces a masked value. */
export const MASK = '[redacted]';

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
/** Paths of errors that can be allowed; `error.name` always is. */
const ERROR_PATHS: ReadonlySet<string> = new Set(['error.message', 'error.code']);
/** Shorter numbers are no numbers of payment cards. */
const SMALLEST_CARD = 1e13;
/** Maximum number of cached keys. */
const KEY_CACHE_LIMIT = 2_000;

/** Cached properties of a key. */
export interface KeyInfo {
  /** The key as well-formed text without NUL. */
  readonly clean: string;
  /** The key in canonical JSON, with the colon. */
  readonly json: string;
  readonly action: RedactionAction | undefined;
  /** Whether the key has further words than the name of the rule. */
  readonly partial: boolean;
}

/** A node in the tree of path rules. */
interface PathNode {
  action?: RedactionAction;
  /** Whether the path is allowed, with everything below. */
  allowed?: boolean;
  readonly children: Map<string, PathNode>;
}

/** Position of a traversal in the path rules; undefined if no rule can match below it. */
export type PathState =
  | { readonly rules: readonly PathNode[]; readonly allow: readonly PathNode[] | undefined }
  | undefined;

/** Where a hashed value is. Equal values of different fields or logs have different hashes. */
export interface HashContext {
  /** Name of the log. */
  readonly log: string;
  /**
   * Path of the value from the event's root, such as `details.user.email`, with `*` for every index of
   * a list.
   */
  readonly field: string;
}

const HASH_DOMAIN = 'temper-audit redaction v2\n';
const KEY_ID_DOMAIN = 'temper-audit redaction key v2\n';
const KEY_ID_LENGTH = 8;

/**
 * The keyed hash as it is stored: `hmac-sha256:`, eight hexadecimal digits that tell which key was used,
 * a colon, and 64 hexadecimal digits. To find a hashed value, hash it with the same key and context and
 * query for the result.
 *
 * @throws {TypeError} if the key has less than 16 bytes
 */
export function keyedHash(
  key: string | Uint8Array | KeyObject,
  { log, field }: HashContext,
  text: string,
): string {
  checkKey('keyedHash', 'key', key);
  const hmac = (data: string): string => createHmac('sha256', key).update(data).digest('hex');
  const id = hmac(KEY_ID_DOMAIN).slice(0, KEY_ID_LENGTH);
  return `hmac-sha256:${id}:${hmac(HASH_DOMAIN + JSON.stringify([log, field, text]))}`;
}

/** Compiled {@link RedactionRule}s. */
export class Redactor {
  readonly #keys: KeyMatcher<RedactionAction> = new KeyMatcher();
  readonly #seen: Map<string, KeyInfo> = new Map();
  /** Whether names of fields in texts are matched. */
  readonly #secret: Map<string, boolean> = new Map();
  readonly #paths: PathNode = { children: new Map() };
  #allow: PathNode | undefined;
  #values = false;
  readonly #patterns: { readonly pattern: RegExp; readonly action: RedactionAction }[] = [];
  readonly #key: string | Uint8Array | KeyObject | undefined;
  readonly #log: string;

  /**
   * @param log - name of the log, to which keyed hashes are bound
   * @throws {TypeError} if a rule is malformed, or has the action `hash` and there is no key
   */
  constructor(options: RedactionOptions = {}, log = 'audit') {
    this.#log = log;
    const { rules, key, allow } = resolveOptions<RedactionOptions, 'key' | 'allow'>(
      'auditLog: redaction',
      options,
      { rules: defaultRedactionRules },
      { rules: listRule, key: checkKey, allow: textsRule },
    );
    this.#key = key;
    for (const rule of rules) this.#add(rule);
    if (allow === undefined) return;
    this.#allow = { children: new Map() };
    for (const path of allow) {
      const segments = path.split('.');
      if (segments[0] !== 'details' && !ERROR_PATHS.has(path)) {
        throw new TypeError(
          `auditLog: redaction.allow must have paths of details, ${[...ERROR_PATHS].join(', ')}, got ${show(path)}.`,
        );
      }
      nodeAt(this.#allow, path).allowed = true;
    }
  }

  #add(rule: RedactionRule): void {
    const owner = 'auditLog: a redaction rule';
    checkKnown(owner, rule, ['keys', 'paths', 'pattern', 'values', 'action']);
    checkOneOf(owner, 'action', rule.action, ['drop', 'mask', 'hash']);
    if (rule.action === 'hash' && this.#key === undefined) {
      throw new TypeError("auditLog: redaction.key must be given when a rule's action is 'hash'.");
    }
    if ('keys' in rule) {
      textsRule(owner, 'keys', rule.keys);
      for (const key of rule.keys) {
        if (wordsOf(key).length === 0) {
          throw new TypeError(`${owner}: a key must have a letter or digit, got ${show(key)}.`);
        }
        this.#keys.add(key, rule.action);
      }
    } else if ('paths' in rule) {
      textsRule(owner, 'paths', rule.paths);
      for (const path of rule.paths) this.#addPath(path, rule.action);
    } else if ('values' in rule) {
      checkOneOf(owner, 'values', rule.values, ['secrets']);
      checkOneOf(owner, 'action of values', rule.action, ['mask']);
      this.#values = true;
    } else if (rule.pattern instanceof RegExp && (rule.action as string) !== 'drop') {
      const { source, flags } = rule.pattern;
      const pattern = new RegExp(source, flags.includes('g') ? flags : `${flags}g`);
      this.#patterns.push({ pattern, action: rule.action });
    } else {
      throw new TypeError(
        'auditLog: a redaction rule needs keys, paths, values, or a pattern to mask or hash.',
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
    nodeAt(this.#paths, path).action ??= action;
  }

  /** Start state for one field of the event. */
  start(field: string): PathState {
    const rules = this.#paths.children.get(field);
    const limited = this.#allow !== undefined && (field === 'details' || field === 'error');
    if (rules === undefined && !limited) return undefined;
    const allow = this.#allow?.children.get(field);
    return {
      rules: rules === undefined ? [] : [rules],
      allow: limited ? (allow === undefined ? [] : [allow]) : undefined,
    };
  }

  /** State below `key`. */
  descend(state: PathState, key: string): PathState {
    if (state === undefined) return undefined;
    const rules = childrenOf(state.rules, key);
    const { allow } = state;
    if (allow === undefined || allow.some(({ allowed }) => allowed === true)) {
      return rules.length === 0 ? undefined : { rules, allow: undefined };
    }
    return { rules, allow: childrenOf(allow, key) };
  }

  /** Action of the path rule that matches at `state`. */
  actionAt(state: PathState): RedactionAction | undefined {
    return state?.rules.find((node) => node.action !== undefined)?.action;
  }

  /** Whether a single value at `state` is masked because it is not allowed. */
  isClosed(state: PathState): boolean {
    return state?.allow !== undefined && !state.allow.some(({ allowed }) => allowed === true);
  }

  /** Whether {@link text} may change a text: a quick test. */
  suspects(text: string): boolean {
    return this.#patterns.length > 0 || (this.#values && maySecret(text));
  }

  /** Whether a number is masked for what it is. */
  masksNumber(value: number): boolean {
    return this.#values && value > SMALLEST_CARD && isCardNumber(String(value));
  }

  /** Properties of a key, cached. */
  keyInfo(key: string): KeyInfo {
    let info = this.#seen.get(key);
    if (info === undefined) {
      const cleaned = cleanText(key);
      const clean = this.#values ? this.#withoutSecrets(cleaned, false) : cleaned;
      const match = this.#keys.match(cleaned);
      info = {
        clean,
        json: `${quote(clean)}:`,
        action: match?.value,
        partial: match?.whole === false,
      };
      if (this.#seen.size < KEY_CACHE_LIMIT) this.#seen.set(key, info);
    }
    return info;
  }

  #withoutSecrets(text: string, wasCut: boolean): string {
    return maskValues(text, this.#isSecret, wasCut);
  }

  /** Whether a key is matched, cached: texts of one program have the same fields again and again. */
  readonly #isSecret = (name: string): boolean => {
    let is = this.#secret.get(name);
    if (is === undefined) {
      is = this.#keys.match(name) !== undefined;
      if (this.#secret.size >= KEY_CACHE_LIMIT) this.#secret.clear();
      this.#secret.set(name, is);
    }
    return is;
  };

  /**
   * Applies the rules for patterns and values to a text.
   *
   * @param wasCut - whether it is the first part of a longer text
   */
  text(text: string, field: string, wasCut = false): string {
    let result = text;
    for (const { pattern, action } of this.#patterns) {
      result = result.replace(pattern, (found) => this.replacement(action, found, field));
    }
    return this.#values ? this.#withoutSecrets(result, wasCut) : result;
  }

  /** Replacement of a masked or hashed value. */
  replacement(action: RedactionAction, text: string, field: string): string {
    if (action !== 'hash' || this.#key === undefined) return MASK;
    return keyedHash(this.#key, { log: this.#log, field }, text);
  }
}

const checkKey: OptionRule = (owner, option, key) => {
  const bytes = keyLength(key);
  if (bytes === undefined) {
    throw new TypeError(
      `${owner}: ${option} must be a string, a Uint8Array or a secret KeyObject, got ${typeof key}.`,
    );
  }
  if (bytes < 16) throw new TypeError(`${owner}: ${option} must be at least 16 bytes.`);
};

/** The node of a path, created if there is none. */
function nodeAt(root: PathNode, path: string): PathNode {
  let node = root;
  for (const segment of path.split('.')) {
    let child = node.children.get(segment);
    if (child === undefined) {
      child = { children: new Map() };
      node.children.set(segment, child);
    }
    node = child;
  }
  return node;
}

function childrenOf(nodes: readonly PathNode[], key: string): readonly PathNode[] {
  const next: PathNode[] = [];
  for (const { children } of nodes) {
    const exact = children.get(key);
    const any = children.get('*');
    if (exact !== undefined) next.push(exact);
    if (any !== undefined) next.push(any);
  }
  return next;
}

/** In bytes; undefined if `key` is not a key. */
function keyLength(key: unknown): number | undefined {
  if (typeof key === 'string') return Buffer.byteLength(key);
  if (key instanceof Uint8Array) return key.length;
  return key instanceof KeyObject ? (key.symmetricKeySize ?? 0) : undefined;
}
