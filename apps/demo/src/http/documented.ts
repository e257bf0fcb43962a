import type { FastifySchema } from 'fastify';
import type { ProblemCode } from './problem.ts';
import { PROBLEMS } from './problem.ts';
import { PROBLEM_SCHEMA } from './schemas.ts';

interface Documentation {
  readonly summary: string;
  readonly description?: string;
  readonly tag: 'programs' | 'packages' | 'operations' | 'demonstration';
  readonly body?: object;
  readonly params?: object;
  readonly querystring?: object;
  /** Description of the success response. */
  readonly answer: string;
  readonly status?: number;
  readonly contentType?: string;
  /** Problem codes in addition to those of every route. */
  readonly problems?: readonly ProblemCode[];
  readonly needsToken?: boolean;
}

const EVERYWHERE: readonly ProblemCode[] = [
  'bad-request',
  'invalid-body',
  'misdirected-request',
  'rate-limited',
];
const WITH_BODY: readonly ProblemCode[] = ['forbidden', 'body-too-large', 'unsupported-media-type'];

/** The schema of a route, for validation and for the OpenAPI document. */
export function documented(doc: Documentation): FastifySchema {
  const codes = [
    ...EVERYWHERE,
    ...(doc.body === undefined ? [] : WITH_BODY),
    ...(doc.needsToken === true ? (['unauthorized'] as const) : []),
    ...(doc.problems ?? []),
  ];
  const byStatus = Map.groupBy(codes, (code) => PROBLEMS[code].status);
  const problems = [...byStatus].map(([status, same]) => [
    String(status),
    {
      description: same.map((code) => `${code}: ${PROBLEMS[code].title}.`).join(' '),
      content: { 'application/problem+json': { schema: PROBLEM_SCHEMA } },
    },
  ]);
  const success = {
    description: doc.answer,
    content: { [doc.contentType ?? 'application/json']: { schema: {} } },
  };
  return {
    summary: doc.summary,
    ...(doc.description === undefined ? {} : { description: doc.description }),
    tags: [doc.tag],
    ...(doc.body === undefined ? {} : { body: doc.body }),
    ...(doc.params === undefined ? {} : { params: doc.params }),
    ...(doc.querystring === undefined ? {} : { querystring: doc.querystring }),
    ...(doc.needsToken === true ? { security: [{ token: [] }] } : {}),
    response: Object.fromEntries([[String(doc.status ?? 200), success], ...problems]),
  } as FastifySchema;
}
