/** Longest header that is read, in UTF-16 code units; Node allows 16 KiB of headers altogether. */
const MAX_LENGTH = 16_384;

/**
 * The addresses that proxies wrote into a header, the client's first. What is no address (`unknown`, an
 * obfuscated name, anything that a client made up) stays in its place, as text.
 *
 * @param name - lower case; `forwarded` is read by its own syntax, any other as a list of addresses
 */
export function hopsOf(name: string, value: string): string[] {
  if (value === '') return [];
  if (value.length > MAX_LENGTH) return ['']; // nobody's address: what is behind it is not trusted
  return name === 'forwarded' ? forwardedFor(value) : value.split(',').map((hop) => hop.trim());
}

/**
 * The `for` of each element of a `Forwarded` field; `''` for an element without one.
 *
 * Source: RFC 7239, section 4.
 */
function forwardedFor(value: string): string[] {
  return split(value, ',').map((element) => {
    for (const pair of split(element, ';')) {
      const at = pair.indexOf('=');
      if (at > 0 && pair.slice(0, at).trim().toLowerCase() === 'for') {
        return unquote(pair.slice(at + 1).trim());
      }
    }
    return '';
  });
}

/** Splits at a character that is not inside quotes. */
function split(text: string, separator: string): string[] {
  const parts: string[] = [];
  let quoted = false;
  let from = 0;
  for (let at = 0; at < text.length; at++) {
    const char = text[at];
    if (char === '"') quoted = !quoted;
    else if (char === '\\' && quoted) at++;
    else if (char === separator && !quoted) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
  }
  parts.push(text.slice(from));
  return parts;
}

function unquote(text: string): string {
  if (text.length < 2 || !text.startsWith('"') || !text.endsWith('"')) return text;
  return text.slice(1, -1).replace(/\\(.)/g, '$1');
}
