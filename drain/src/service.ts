// A service in its own process, as the environment asks for. Prints the port on which it listens, and
// writes into the file ACCOUNT what it knows of its connections when it ends.
import type { Server as HttpServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { keepAccount } from './account.ts';
import { selfSigned } from './certificate.ts';
import type { Transport } from './frameworks/app.ts';
import { FRAMEWORKS } from './frameworks/index.ts';
import { TOOLS } from './tools.ts';

const { FRAMEWORK = '', TRANSPORT = '', TOOL = '', ACCOUNT = '' } = process.env;

const framework = FRAMEWORKS[FRAMEWORK];
const tool = TOOLS[TOOL];
if (framework === undefined || tool === undefined) throw new Error(`no ${FRAMEWORK} or ${TOOL}`);

const transport = TRANSPORT as Transport;
const app = await (await framework())(transport, transport === 'plain' ? undefined : selfSigned());
keepAccount(app.server, ACCOUNT);
const webSockets = new WebSocketServer({ server: app.server as HttpServer });
webSockets.on('connection', (client) => {
  client.on('message', async (message) => {
    await sleep(50 + Math.random() * 200);
    client.send(message);
  });
});
await tool(app, webSockets);
await app.listen();
console.log(`listening ${(app.server.address() as AddressInfo).port}`);
