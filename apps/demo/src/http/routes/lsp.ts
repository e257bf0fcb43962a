import type { FastifyInstance } from 'fastify';
import type { LspMethod } from '../../subsystems/lsp.ts';
import type { HttpContext } from '../context.ts';
import { degradedMember } from '../degradation.ts';
import { documented } from '../documented.ts';
import { clientOf, signalOf } from '../guards.ts';
import { Problem } from '../problem.ts';
import { SCHEMAS } from '../schemas.ts';

interface LspBody {
  readonly text: string;
  readonly language?: string;
  readonly document?: string;
  readonly position?: { readonly line: number; readonly character: number };
  readonly newName?: string;
}

const NEED_POSITION: readonly LspMethod[] = [
  'completion',
  'hover',
  'definition',
  'references',
  'rename',
];

/** Questions to the language server. */
export function lspRoutes(app: FastifyInstance, context: HttpContext): void {
  const { hardening } = context.demo.service;
  app.post<{ Params: { method: LspMethod }; Body: LspBody }>(
    '/v1/lsp/:method',
    {
      schema: documented({
        summary: 'A question to the language server about a text',
        description:
          'The text comes with the question. While the server is down, the last good answer for the same document.',
        tag: 'programs',
        params: SCHEMAS.lspMethod,
        body: SCHEMAS.lsp,
        answer: 'What the Language Server Protocol has for an answer, as `result`.',
        problems: ['unacceptable-question', 'bad-gateway', 'audit-unavailable', 'timed-out'],
      }),
    },
    async (request) => {
      const { method } = request.params;
      const { text, language = 'core', document = 'main', position, newName } = request.body;
      if (NEED_POSITION.includes(method) && position === undefined) {
        throw new Problem('bad-request', `${method} needs a position.`);
      }
      if (method === 'rename' && newName === undefined) {
        throw new Problem('bad-request', 'rename needs a newName.');
      }
      const actor = clientOf(context, request);
      const answer = await hardening.lsp.request(
        method,
        {
          text,
          language,
          // What one client wrote is no answer for another.
          document: `${actor}/${document}`,
          ...(position === undefined ? {} : { position }),
          ...(newName === undefined ? {} : { newName }),
        },
        { signal: signalOf(request), actor },
      );
      return { result: answer.value, ...degradedMember(answer) };
    },
  );
}
