import { safeText } from '@temper/core/policy';

/** The problem types of the RateLimit draft. */
export type ProblemName =
  | 'quota-exceeded'
  | 'temporary-reduced-capacity'
  | 'abnormal-usage-detected';

/** A problem detail (RFC 9457) with the draft's extension. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly 'violated-policies': readonly string[];
}

/** Media type of a problem detail. */
export const PROBLEM_TYPE = 'application/problem+json';

/** Most policies that a problem detail names. */
const MAX_POLICIES = 20;
/** Longest name of a policy, in UTF-16 code units. */
const MAX_NAME_LENGTH = 128;

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
 * Describes a refusal. At most 20 names are listed, bounded and scrubbed.
 *
 * Source: draft-ietf-httpapi-ratelimit-headers-10, section 5.
 *
 * @param policies - names of the policies that were violated
 * @param retryAfterSeconds - when to try again, where it is known
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
    'violated-policies': policies
      .slice(0, MAX_POLICIES)
      .map((policy) => safeText(policy, MAX_NAME_LENGTH)),
  };
}

const seconds = (count: number): string => (count === 1 ? '1 second' : `${count} seconds`);
