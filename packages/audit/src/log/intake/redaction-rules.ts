import type { KeyObject } from 'node:crypto';

/**
 * Action on a matching value: `drop` omits it, `mask` replaces it by `[redacted]`, `hash` replaces it
 * by a keyed hash, so that equal values can still be recognised.
 */
export type RedactionAction = 'drop' | 'mask' | 'hash';

/** Selects values to redact. */
export type RedactionRule =
  | {
      /**
       * Names, found word by word in keys of any style and at any depth of `details`: `apiKey` matches
       * `API_KEY`, `x-api-key` and `service[apiKey]`. With a leading `*` a name also matches the end of a
       * word: `*password` matches `userpassword`. A key whose next words say that the value is about it,
       * as `tokenCount`, is not matched, and a boolean or null under a key that has further words,
       * as `hasPassword`, is not redacted.
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
    }
  | {
      /**
       * Masks secrets inside texts and keys by `***`: credentials known by their form, the value of a
       * field or header in the text whose name a rule with `keys` matches, and numbers of payment cards.
       */
      readonly values: 'secrets';
      readonly action: 'mask';
    };

/** Options of redaction. */
export interface RedactionOptions {
  /**
   * The rules; the first matching rule applies.
   *
   * @defaultValue {@link defaultRedactionRules}
   */
  readonly rules?: readonly RedactionRule[];
  /**
   * Paths of `details`, as in a rule with `paths`, and `error.message` and `error.code`, which are those of
   * causes too. If given, any other value there is replaced by `[redacted]`; the keys of `details` are
   * kept. The rules apply to what is allowed too.
   *
   * @defaultValue all
   */
  readonly allow?: readonly string[];
  /** Key of the keyed hash (HMAC-SHA256), at least 16 bytes. Required by rules with the action `hash`. */
  readonly key?: string | Uint8Array | KeyObject;
}

/** Names of secrets, by what they are. A `*` also matches the end of a word, see {@link RedactionRule}. */
export const SECRET_NAMES: Readonly<Record<string, readonly string[]>> = {
  passwords: [
    '*password',
    'passwords',
    '*passwd',
    '*pwd',
    '*passphrase',
    'passcode',
    'pass',
    'pin',
  ],
  secrets: ['*secret', 'secrets', 'credential', 'credentials', 'creds', 'mnemonic', 'seedPhrase'],
  tokens: ['*token', 'tokens', 'jwt', 'bearer', 'authorization', 'csrf', 'xsrf'],
  codes: [
    'otp',
    'totp',
    'mfaCode',
    'twoFactorCode',
    'verificationCode',
    'oneTimeCode',
    'recoveryCode',
    'recoveryCodes',
    'backupCodes',
    'authCode',
    'authorizationCode',
  ],
  sessions: ['cookie', 'cookies', 'sessionId', 'sessionKey', 'sid'],
  keys: [
    '*apikey',
    'apiKeys',
    'privateKey',
    'accessKey',
    'accountKey',
    'sharedKey',
    'signingKey',
    'encryptionKey',
    'masterKey',
    'licenseKey',
  ],
  connections: ['connectionString', 'dsn'],
  payment: ['cardNumber', 'creditCard', 'ccNumber', 'cvv', 'cvc', 'securityCode'],
  persons: ['ssn', 'socialSecurityNumber'],
};

/** Masks values whose key names a secret, and secrets inside any text. */
export const defaultRedactionRules: readonly RedactionRule[] = Object.freeze([
  Object.freeze({
    keys: Object.freeze(Object.values(SECRET_NAMES).flat()),
    action: 'mask' as const,
  }),
  Object.freeze({ values: 'secrets' as const, action: 'mask' as const }),
]);
