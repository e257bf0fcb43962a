import { Ajv2020 } from 'ajv/dist/2020.js';
import type { HttpAnswer } from '../../src/drills/http-caller.ts';
import type { Schema } from './schema-arbitrary.ts';

interface Response {
  readonly $ref?: string;
  readonly content?: Readonly<Record<string, { readonly schema: object }>>;
}

/** The parts of an OpenAPI document that the tests read. */
export interface OpenApi {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly parameters?: readonly {
              readonly name: string;
              readonly in: string;
              readonly schema: Schema;
            }[];
            readonly requestBody?: {
              readonly content: Readonly<Record<string, { readonly schema: Schema }>>;
            };
            readonly responses: Readonly<Record<string, Response>>;
          }
        >
      >
    >
  >;
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>;
    readonly responses: Readonly<Record<string, Response>>;
  };
}

/** Statuses of requests that HTTP itself forbids. They are the same on each path. */
const OF_HTTP = [405, 408, 414, 431];

/** A schema that also refuses members that it does not name, where it says which ones are required. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== 'object' || schema === null) return schema;
  const parts = Object.fromEntries(
    Object.entries(schema).map(([key, part]) => [key, closed(part)]),
  );
  return Array.isArray(parts.required) && parts.properties !== undefined
    ? { additionalProperties: false, ...parts }
    : parts;
}

/**
 * Compares answers with the document.
 *
 * @returns what is wrong with an answer to an operation such as `POST /v1/run`, in words; undefined if nothing is
 */
export function documentedAnswers(
  document: OpenApi,
): (operation: string, answer: HttpAnswer) => string | undefined {
  const ajv = new Ajv2020({ strict: false });
  ajv.addSchema(closed({ components: document.components }) as object, 'api');
  const validators = new Map<string, (body: unknown) => boolean | Promise<unknown>>();
  const schemaOf = (response: Response, type: string): object | undefined =>
    (response.$ref === undefined
      ? response
      : document.components.responses[response.$ref.replace('#/components/responses/', '')]
    )?.content?.[type]?.schema;
  return (operation, { status, headers, body }) => {
    if (OF_HTTP.includes(status)) return undefined;
    const [method = '', path = ''] = operation.split(' ');
    const response = document.paths[path]?.[method.toLowerCase()]?.responses[status];
    if (response === undefined) return `${operation} answers ${status}, which is not documented.`;
    const type = String(headers['content-type']).split(';')[0] as string;
    const schema = schemaOf(response, type);
    if (schema === undefined) return `${operation} answers ${status} with ${type}.`;
    const text = JSON.stringify(schema).replaceAll('"#/', '"api#/');
    let validate = validators.get(text);
    if (validate === undefined) {
      validate = ajv.compile(JSON.parse(text) as object);
      validators.set(text, validate);
    }
    if (validate(JSON.parse(body))) return undefined;
    const { errors } = validate as { errors?: unknown };
    return `${operation} answers ${status} with another body: ${JSON.stringify(errors)} ${body.slice(0, 500)}`;
  };
}
