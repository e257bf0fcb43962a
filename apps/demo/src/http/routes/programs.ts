import type { ProtocolDefinition } from '@temper/parsercraft';
import { ParseError, type Structure, TypeCheckError } from '@temper/parsercraft';
import type { OperationOptions } from '@temper/parsercraft-handlers';
import type { FastifyInstance } from 'fastify';
import type { HttpContext } from '../context.ts';
import { degradedMember } from '../degradation.ts';
import { documented, OF_GUARDS } from '../documented.ts';
import { callerOf } from '../guards.ts';
import { Problem } from '../problem.ts';
import { type ProgramBody, readyProgram } from '../programs.ts';
import { SCHEMAS } from '../schemas.ts';

interface CheckBody extends Partial<ProgramBody> {
  readonly protocols?: readonly ProtocolDefinition[];
  readonly against?: readonly string[];
  readonly structure?: Structure;
}

const OF_PACKAGES = [
  'package-not-found',
  'unresolvable-packages',
  'bad-gateway',
  'timed-out',
] as const;
const OF_PROGRAMS = [
  'invalid-program',
  'invalid-definition',
  ...OF_PACKAGES,
  ...OF_GUARDS,
] as const;

/** Routes that compile, run and check programs. */
export function programRoutes(app: FastifyInstance, context: HttpContext): void {
  const { hardening } = context.demo.service;

  app.post<{ Body: ProgramBody }>(
    '/v1/compile',
    {
      schema: documented({
        id: 'compile',
        summary: 'Compile a program to C',
        tag: 'programs',
        body: SCHEMAS.compile,
        schema: 'Compiled',
        answer: 'The C code and the versions of its packages.',
        problems: ['unsupported-construct', ...OF_PROGRAMS],
      }),
    },
    async (request) => {
      const options = callerOf(context, request);
      const { program, packages } = await readyProgram(hardening, request.body, options);
      const { value } = await hardening.ast.generateCode(
        { ...program, target: 'c' },
        'compile',
        options,
      );
      return { ...(value.target === 'c' ? { c: value.c } : {}), packages };
    },
  );

  app.post<{ Body: ProgramBody }>(
    '/v1/run',
    {
      schema: documented({
        id: 'run',
        summary: 'Run a program',
        description: 'Runs in the interpreter, with limits on steps and output.',
        tag: 'programs',
        body: SCHEMAS.run,
        schema: 'Run',
        answer: 'Output, exit code, and the runtime fault if there was one.',
        problems: ['program-limit-exceeded', ...OF_PROGRAMS],
      }),
    },
    async (request) => {
      const options = callerOf(context, request);
      const { program, packages } = await readyProgram(hardening, request.body, options);
      const { value } = await hardening.ast.generateCode(
        { ...program, target: 'output' },
        'run',
        options,
      );
      return { ...(value.target === 'output' ? value.result : {}), packages };
    },
  );

  app.post<{ Body: CheckBody }>(
    '/v1/check',
    {
      schema: documented({
        id: 'check',
        summary: 'Infer the types of a program and check protocol conformance',
        tag: 'programs',
        body: SCHEMAS.check,
        schema: 'Checked',
        answer:
          'Diagnostics and inferred types if there is a program; a report per protocol, including what was not checked.',
        problems: ['invalid-protocols', ...OF_PROGRAMS],
      }),
    },
    async (request) => {
      const { source, protocols = [], against, structure: given, ...rest } = request.body;
      const options = callerOf(context, request);
      const types =
        source === undefined ? undefined : await typesOf(context, { source, ...rest }, options);
      const structure = given ?? types?.structure;
      if (protocols.length === 0 && types === undefined) {
        throw new Problem('bad-request', 'A source, protocols or both are required.');
      }
      const answer = {
        ...(types === undefined ? {} : { diagnostics: types.diagnostics, names: types.names }),
      };
      // A program with errors has no structure to check.
      if (protocols.length === 0 || structure === undefined) return answer;
      const checked = await hardening.protocols.check(
        {
          name: 'the program',
          structure,
          definitions: protocols,
          against: against ?? protocols.map(({ name }) => name),
        },
        'check',
        options,
      );
      return { ...answer, ...checked.value, ...degradedMember(checked) };
    },
  );
}

/** Infers the types. Errors of the program are part of the result and do not fail the request. */
async function typesOf({ demo }: HttpContext, body: ProgramBody, options: OperationOptions) {
  const { hardening } = demo.service;
  const { program } = await readyProgram(hardening, body, options);
  try {
    const { value } = await hardening.ast.inferTypes(
      { ...program, target: 'types' },
      'check',
      options,
    );
    return { diagnostics: [], ...value };
  } catch (error) {
    if (!(error instanceof ParseError || error instanceof TypeCheckError)) throw error;
    return { diagnostics: error.diagnostics, names: [], structure: undefined };
  }
}
