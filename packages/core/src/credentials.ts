/** A name of a host after an `@`: anything that begins with a letter, or an IPv4 address. */
const HOST = String.raw`(?=[a-z]|\d{1,3}(?:\.\d{1,3}){3}(?!\d))`;

/**
 * What stands before the last `@` of a URL's authority. The second form is a password that holds `/`,
 * `?` or `#` unencoded, and no port: such URLs are invalid, and quoted by the error that says so. The
 * third is one that looks like a port and a path, after a name that is no domain. Parsers skip line
 * breaks and tabs, and so does the fourth form.
 */
const URL_CREDENTIALS = new RegExp(
  `(?<=//)(?:${[
    String.raw`[^\s/?#@]*(?:@[^\s/?#@]*)*@`,
    String.raw`[^\s/?#@:[\]]*:(?!\d{1,5}(?:[/?#\s]|$))[^\s@]{0,256}(?:@[^\s/?#@]*)*@`,
    String.raw`(?!localhost:)[^\s/?#@:.[\]]+:\d{1,5}[/?#][^\s@]{0,255}[^\s@/]@${HOST}`,
    String.raw`(?=[^ /?#@[\]]*:)[^ /?#@[\]]{0,256}@`,
  ].join('|')})`,
  'gi',
);

/** `user:password@host` without a scheme; a digest, a version or an address of mail is none. */
const BARE_CREDENTIALS =
  /(?<![\w/.@:%+-])(?!(?:mailto|sips?|xmpp|acct|npm|jsr|workspace|git):)[\w.%+-]{1,64}:[^\s@/:"'`]{1,128}@(?!sha\d+:)(?=(?:[a-z][\w-]{0,62}(?:\.[\w-]{1,62})+|localhost|\d{1,3}(?:\.\d{1,3}){3})(?![\w.])|[a-z][\w.-]{0,62}:\d)/gi;

/** The part of it that few texts have: a quick test. */
const BARE_PASSWORD = /:[^\s@/:"'`]{1,128}@/;

/** Tokens that are known by their form: JWTs, and keys of AWS, GitHub, GitLab, Slack, Stripe, npm. */
const KNOWN_TOKEN =
  /(?<![\w-])(?:eyJ[\w-]{8,2048}\.[\w-]{4,4096}(?:\.[\w-]{0,2048})?|(?:AKIA|ASIA)[A-Z0-9]{12,16}(?![\w-])|(?:gh[pousr]_|github_pat_|glpat-|xox[abeoprs]-|[rs]k_(?:live|test)_|npm_)[\w-]{10,255})/g;

/** Words at the end of a name whose value is a secret. */
const SECRET_WORDS =
  'password|passwd|pwd|passphrase|secret|(?<!unexpected )token|signature|credentials?|api[_-]?key|(?:access|account|private|shared|signing|encryption)[_-]?key';

/** A value in quotes, which may hold anything, or one up to the next of these characters. */
const valueUpTo = (ends: string, endsAfterQuote: string): string =>
  String.raw`(?:(?:'(?:[^'\\]|\\.)*'?|"(?:[^"\\]|\\.)*"?)[^${endsAfterQuote}]*|[^${ends}]+)`;
const IN_URL = valueUpTo(String.raw`&\s#'"`, String.raw`&\s#'"`);
const IN_FIELD = valueUpTo(String.raw`\s'"`, String.raw`\s'",;)}\]`);

/** The lookahead leaves a masked value alone that was shortened. */
const NOT_MASKED = String.raw`(?![\\"']{0,5}\*{0,3}…$)`;

/** A scheme of authorization whose own credential follows; the text may have been shortened inside it. */
const SCHEME = String.raw`bearer\b|basic\b|b(?:e(?:a(?:r(?:er?)?)?)?|a(?:s(?:ic?)?)?)?…$`;

/** The value of a parameter of a URL whose name ends in a word for secrets. */
const PARAMETER = String.raw`([?&;#][\w.%-]{0,40}(?:${SECRET_WORDS}|key|sig|auth|jwt) ?= ?)${NOT_MASKED}${IN_URL}`;
const SECRET_PARAMETER = new RegExp(PARAMETER, 'gi');

/** The value of such a parameter, and of a field `name: value`. */
const SECRET_FIELD = new RegExp(
  [
    PARAMETER,
    String.raw`((?:(?:${SECRET_WORDS})(?:[_-]?(?:id|hash|value))?|(?:set-)?cookie)(?:\\{0,4}["'])?[ ]{0,3}(?:=>?|:)[ ]{0,3}(?:\\{1,4}["'])?)${NOT_MASKED}${IN_FIELD}`,
    String.raw`(authorization(?:\\{0,4}["'])?[ ]{0,3}[:=][ ]{0,3}(?:\\{0,4}["'])?(?:(?:token|apikey|key|digest|negotiate|hmac)[ ]{1,3})?)(?!${SCHEME})${NOT_MASKED}${IN_FIELD}`,
  ].join('|'),
  'gi',
);

const AUTHORIZATION =
  /\b((?:bearer|basic)(?:[ ]{1,3}|[ ]?[:=][ ]?))(?!authenti|authoriz|credenti)[\w.~+/|:-]{8,}=*/gi;

/** A private key in PEM, whose end may be missing. Public keys and certificates are no secrets. */
const PRIVATE_KEY =
  /-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:(?!-----END)[\s\S])*(?:-----END [A-Z0-9 ]{0,60}-----)?/g;

/** What every text has in which one of these expressions finds something: a quick test. */
const SUSPECT =
  /[:=@]|-----|eyJ|(?:AKIA|ASIA)|gh[pousr]_|github_pat_|glpat-|xox|[rs]k_|npm_|bearer|basic/i;

/** At the end of text that was cut: what may be the first part of a credential. */
const CUT_CREDENTIALS =
  /(?:(?<=\/\/)(?:[^ /?#]*|[^\s/?#@:[\]]*:[^\s@]{0,256})|(?<=\b(?:bearer|basic)\s{1,3})\S*|(?<![\w/.@:%+-])[\w.%+-]{1,64}:[^\s@/:"'`]{0,128}(?:@[\w.-]{0,62})?)$/i;
/** There: what may be the first part of a token. It is sought in the last word only. */
const CUT_WORD = /(?<![\w.-])[\w.-]*$/;
const CUT_TOKEN =
  /(?<![\w-])(?:eyJ|AKIA|ASIA|gh[pousr]_|github_pat_|glpat-|xox|[rs]k_|npm_)[\w.-]*$/i;

/** Replaces the credentials in a text by `***`. Must see line breaks, where there were some. */
export function maskUrls(text: string): string {
  const result = text.replace(PRIVATE_KEY, '***');
  if (!result.includes('@')) return result;
  const outside = result.replace(URL_CREDENTIALS, '***@');
  return BARE_PASSWORD.test(outside) ? outside.replace(BARE_CREDENTIALS, '***@') : outside;
}

function withoutTokens(text: string): string {
  return text.replace(AUTHORIZATION, '$1***').replace(KNOWN_TOKEN, '***');
}

/** Replaces the secrets of fields, parameters and known tokens in a text of one line by `***`. */
export function maskSecrets(text: string): string {
  return withoutTokens(text).replace(SECRET_FIELD, '$1$2$3***');
}

/** A text without what its cut may have left of a credential. */
export function withoutCutCredential(text: string): string {
  return text.replace(CUT_CREDENTIALS, '').replace(CUT_WORD, (word) => word.replace(CUT_TOKEN, ''));
}

/**
 * Replaces the credentials in a text that are known by their form by `***`, and leaves everything else as
 * it is: user info of URLs and secret parameters, tokens, keys, and what follows `Bearer` or `Basic`. What
 * is secret only by the name of its field is for the caller to find. The text may have several lines.
 *
 * @param wasCut - whether the text is the first part of a longer one: what may be the first part of a
 *   credential at its end is removed
 */
export function maskCredentials(text: string, wasCut = false): string {
  const whole = wasCut && SUSPECT.test(text) ? withoutCutCredential(text) : text;
  return withoutTokens(maskUrls(whole)).replace(SECRET_PARAMETER, '$1***');
}
