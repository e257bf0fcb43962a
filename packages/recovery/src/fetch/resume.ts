/** The head of a response. */
export interface ResponseHead {
  readonly status: number;
  /**
   * Path and query of the resource that has answered, after redirects; `undefined` where none are followed.
   * Not its origin, as another one may serve the same.
   */
  readonly resource?: string | undefined;
  /** @param name - in lower case */
  header(name: string): string | undefined;
}

/** What another response has to agree with so that its body goes on with that of the first. */
export interface Representation {
  /** The value of `If-Range`; `undefined` when the response has no strong validator. */
  readonly validator: string | undefined;
  readonly etag: string | undefined;
  /** In bytes, where known. */
  readonly length: number | undefined;
  readonly encoding: string | undefined;
  /** Whether the pieces that the reader gets are the bytes that were sent. */
  readonly plain: boolean;
  readonly fields: readonly (string | undefined)[];
  /** As of {@link ResponseHead}: a validator tells versions of one resource apart, not resources. */
  readonly resource: string | undefined;
}

/** The fields that the caller has read already when a body is sent again from its beginning. */
const FIELDS = [
  'etag',
  'last-modified',
  'content-type',
  'content-length',
  'content-encoding',
  'content-language',
] as const;

/**
 * @param decodes - whether a `Content-Encoding` has been removed from what the reader gets
 * @returns `undefined` when the body cannot be continued
 */
export function representationOf(head: ResponseHead, decodes: boolean): Representation | undefined {
  if (head.status !== 200) return undefined;
  return {
    validator: validatorOf(head),
    etag: head.header('etag'),
    length: lengthOf(head),
    encoding: head.header('content-encoding'),
    plain: isPlain(head, decodes),
    fields: fieldsOf(head),
    resource: head.resource,
  };
}

/** The length that a response announces, in bytes. */
export function lengthOf(head: ResponseHead): number | undefined {
  const length = head.header('content-length');
  return length !== undefined && /^\d{1,15}$/.test(length) ? Number(length) : undefined;
}

/** Whether the pieces that the reader gets are the bytes that were sent. */
export function isPlain(head: ResponseHead, decodes: boolean): boolean {
  return !decodes || head.header('content-encoding') === undefined;
}

function fieldsOf(head: ResponseHead): readonly (string | undefined)[] {
  return FIELDS.map((name) => head.header(name));
}

/** A time is a strong validator when it lies a minute before the response: RFC 9110, section 8.8.2.2. */
const CLOCK_SKEW_MS = 60_000;

function validatorOf(head: ResponseHead): string | undefined {
  const etag = head.header('etag');
  if (etag !== undefined) return isStrong(etag) ? etag : undefined;
  const modified = head.header('last-modified');
  const age = Date.parse(head.header('date') ?? '') - Date.parse(modified ?? '');
  return age >= CLOCK_SKEW_MS ? modified : undefined;
}

function isStrong(etag: string | undefined): boolean {
  return etag?.startsWith('"') === true;
}

/**
 * The headers of a request for the rest of a body.
 *
 * @param delivered - the bytes that the reader has
 * @returns `undefined` when the rest cannot be asked for
 */
export function headersForRest(
  { validator, length, plain }: Representation,
  delivered: number,
): Record<string, string> | undefined {
  if (delivered === 0) return {};
  // A server that knows no length serves no ranges either; a body without one may have been decoded.
  if (validator === undefined || length === undefined || !plain) return undefined;
  return { range: `bytes=${delivered}-`, 'if-range': validator };
}

/**
 * How many bytes of another response's body the reader has already.
 *
 * @returns `undefined` when the response is not of the same representation
 */
export function bytesToSkip(
  first: Representation,
  delivered: number,
  head: ResponseHead,
): number | undefined {
  if (head.resource !== first.resource) return undefined;
  if (head.status === 206 && delivered > 0) return isRest(first, delivered, head) ? 0 : undefined;
  if (head.status !== 200) return undefined;
  const same = fieldsOf(head).every((value, index) => value === first.fields[index]);
  if (!same) return undefined;
  if (delivered === 0) return 0;
  // The server ignores ranges; a strong tag says that the bytes are the same.
  return isStrong(first.etag) ? delivered : undefined;
}

/** A server may ignore `If-Range`: that the rest is of the same version is believed only when it says so. */
function isRest(
  { etag, validator, length, encoding }: Representation,
  delivered: number,
  head: ResponseHead,
): boolean {
  const range = /^bytes (\d+)-(\d+)\/(\d+|\*)$/i.exec(head.header('content-range') ?? '');
  if (range === null) return false;
  const [, from, to, total] = range;
  return (
    Number(from) === delivered &&
    Number(to) + 1 === length &&
    [undefined, String(length - delivered)].includes(head.header('content-length')) &&
    (total === '*' || Number(total) === length) &&
    head.header(etag === undefined ? 'last-modified' : 'etag') === validator &&
    head.header('content-encoding') === encoding
  );
}
