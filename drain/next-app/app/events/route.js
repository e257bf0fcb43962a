import { events } from '../../work.js';

export const dynamic = 'force-dynamic';

export function GET() {
  const headers = { 'content-type': 'text/event-stream' };
  const encoder = new TextEncoder();
  const body = new ReadableStream({
    async start(controller) {
      for await (const event of events()) controller.enqueue(encoder.encode(event));
      controller.close();
    },
  });
  return new Response(body, { headers });
}
