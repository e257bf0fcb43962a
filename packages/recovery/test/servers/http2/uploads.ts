import { once } from 'node:events';
import { type ClientHttp2Session, connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';

/**
 * What undici 8 does with a request that is given up before its body has been sent: `node uploads.ts both`. Of the
 * two calls either alone does no harm; after both node:http2 sends for ever, and the process does nothing else.
 */
const how = process.argv[2] as 'close' | 'destroy' | 'both';

const server = createServer();
server.on('stream', (stream) => stream.on('error', () => {}).resume());
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const { port } = server.address() as AddressInfo;
const session: ClientHttp2Session = connect(`http://127.0.0.1:${port}`);
await once(session, 'remoteSettings');
for (let upload = 0; upload < 100; upload++) {
  const stream = session.request({ ':method': 'POST' }).on('error', () => {});
  stream.end('body');
  if (how !== 'destroy') stream.close();
  if (how !== 'close') stream.destroy();
  if (upload % 3 === 0) await turn();
}
await turn();
console.log('goes on');
process.exit();
