import type { FastifySchema } from 'fastify';
import { type AnswerName, refTo } from './answers.ts';
import type { ProblemCode } from './problem.ts';
import { PROBLEMS } from './problem.ts';

interface Documentation {
  /** Name of the operation in generated clients. */
  readonly id: string;
  readonly summary: string;
  readonly description?: string;
  readonly tag: 'programs' | 'packages' | 'operations' | 'demonstration';
  readonly body?: object;
  readonly params?: object;
  readonly querystring?: object;
  /** Description of the success response. */
  readonly answer: string;
  /** Schema of its body, by its name in `ANSWERS`; left out for a stream of events. */
  readonly schema?: AnswerName;
  readonly status?: number;
  /** Problem codes in addition to those of every route. */
  readonly problems?: readonly ProblemCode[];
  readonly needsToken?: boolean;
}

const EVERYWHERE: readonly ProblemCode[] = [
  'bad-request',
  'invalid-body',
  'misdirected-request',
  'rate-limited',
  'internal',
];
/** Of POST requests. */
const OF_POST: readonly ProblemCode[] = ['forbidden', 'body-too-large', 'unsupported-media-type'];

/** Of operations that the guards may refuse. */
export const OF_GUARDS = ['circuit-open', 'audit-unavailable', 'shutting-down'] as const;

/** The schema of a route, for validation and for the OpenAPI document. */
export function documented(doc: Documentation): FastifySchema {
  const codes = [
    ...EVERYWHERE,
    ...(doc.body === undefined && doc.needsToken !== true ? [] : OF_POST),
    ...(doc.needsToken === true ? (['unauthorized'] as const) : []),
    ...(doc.problems ?? []),
  ];
  const byStatus = Map.groupBy(codes, (code) => PROBLEMS[code].status);
  const problems = [...byStatus].map(([status, same]) => [
    String(status),
    {
      description: same.map((code) => `${code}: ${PROBLEMS[code].title}.`).join(' '),
      content: { 'application/problem+json': { schema: problemOf(same) } },
    },
  ]);
  const success = {
    description: doc.answer,
    content:
      doc.schema === undefined
        ? { 'text/event-stream': { schema: { type: 'string' } } }
        : { 'application/json': { schema: refTo(doc.schema) } },
  };
  return {
    operationId: doc.id,
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

/** A problem with one of the codes. */
const problemOf = (codes: readonly ProblemCode[]): object => ({
  allOf: [refTo('Problem')],
  type: 'object',
  properties: { code: { type: 'string', enum: codes } },
});
