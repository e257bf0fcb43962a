/** The problem types of the RateLimit draft. */
export type ProblemName =
  | 'quota-exceeded'
  | 'temporary-reduced-capacity'
  | 'abnormal-usage-detected';

/** A problem detail (RFC 9457) as the draft extends it. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly 'violated-policies': readonly string[];
}

/** Media type of a problem detail. */
export const PROBLEM_TYPE = 'application/problem+json';

const KNOWN: Readonly<Record<ProblemName, { readonly title: string; readonly status: number }>> = {
  'quota-exceeded': {
    title: 'Request cannot be satisfied as assigned quota has been exceeded',
    status: 429,
  },
  'temporary-reduced-capacity': {
    title: 'Request cannot be satisfied due to temporary server capacity constraints',
    status: 503,
  },
  'abnormal-usage-detected': {
    title: 'Request not satisfied due to detection of abnormal request pattern',
    status: 429,
  },
};

/** Every {@link ProblemName}. */
export const PROBLEM_NAMES: readonly ProblemName[] = Object.keys(KNOWN) as ProblemName[];

/**
 * Describes a refusal.
 *
 * Source: draft-ietf-httpapi-ratelimit-headers-10, section 5.
 *
 * @param policies - names of the policies that were violated
 * @param retryAfterSeconds - when to come back, if anybody can tell
 */
export function problemOf(
  name: ProblemName,
  policies: readonly string[],
  retryAfterSeconds: number | undefined,
): Problem {
  const { title, status } = KNOWN[name];
  const when = retryAfterSeconds === undefined ? 'later' : `in ${seconds(retryAfterSeconds)}`;
  return {
    type: `https://iana.org/assignments/http-problem-types#${name}`,
    title,
    status,
    detail: `Try again ${when}.`,
    'violated-policies': policies,
  };
}

const seconds = (count: number): string => (count === 1 ? '1 second' : `${count} seconds`);
