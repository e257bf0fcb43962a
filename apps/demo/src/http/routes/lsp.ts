import type { FastifyInstance } from 'fastify';
import type { LspMethod } from '../../subsystems/lsp.ts';
import type { HttpContext } from '../context.ts';
import { degradedMember } from '../degradation.ts';
import { documented, OF_GUARDS } from '../documented.ts';
import { callerOf, clientOf } from '../guards.ts';
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

/** Routes for language server requests. */
export function lspRoutes(app: FastifyInstance, context: HttpContext): void {
  const { hardening } = context.demo.service;
  app.post<{ Params: { method: LspMethod }; Body: LspBody }>(
    '/v1/lsp/:method',
    {
      schema: documented({
        id: 'askLanguageServer',
        summary: 'Send a request to the language server',
        description:
          'The request contains the text. While the server is down, the answer comes from the last valid text of the document.',
        tag: 'programs',
        params: SCHEMAS.lspMethod,
        body: SCHEMAS.lsp,
        schema: 'LspAnswer',
        answer: 'The result as defined by the Language Server Protocol, in `result`.',
        problems: ['invalid-lsp-request', 'bad-gateway', 'timed-out', ...OF_GUARDS],
      }),
    },
    async (request) => {
      const { method } = request.params;
      const { text, language = 'core', document = 'main', position, newName } = request.body;
      if (NEED_POSITION.includes(method) && position === undefined) {
        throw new Problem('bad-request', `${method} requires a position.`);
      }
      if (method === 'rename' && newName === undefined) {
        throw new Problem('bad-request', 'rename requires a newName.');
      }
      const actor = clientOf(context, request);
      const answer = await hardening.lsp.request(
        method,
        {
          text,
          language,
          // Keeps the documents of different clients apart.
          document: `${actor}/${document}`,
          ...(position === undefined ? {} : { position }),
          ...(newName === undefined ? {} : { newName }),
        },
        callerOf(context, request),
      );
      return { result: answer.value, ...degradedMember(answer) };
    },
  );
}
