import { bytesOf } from '../../work.js';

export const dynamic = 'force-dynamic';

export async function POST(request) {
  return new Response(await bytesOf(request.body));
}
