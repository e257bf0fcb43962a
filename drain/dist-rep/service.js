import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { keepAccount } from './account.js';
import { selfSigned } from './certificate.js';
import { FRAMEWORKS } from './frameworks/index.js';
import { TOOLS } from './tools.js';
const { FRAMEWORK = '', TRANSPORT = '', TOOL = '', ACCOUNT = '' } = process.env;
const framework = FRAMEWORKS[FRAMEWORK];
const tool = TOOLS[TOOL];
if (framework === undefined || tool === undefined)
    throw new Error(`no ${FRAMEWORK} or ${TOOL}`);
const transport = TRANSPORT;
const app = await (await framework())(transport, transport === 'plain' ? undefined : selfSigned());
keepAccount(app.server, ACCOUNT);
const webSockets = new WebSocketServer({ server: app.server });
webSockets.on('connection', (client) => {
    client.on('message', async (message) => {
        await sleep(50 + Math.random() * 200);
        client.send(message);
    });
});
await tool(app, webSockets);
await app.listen();
console.log(`listening ${app.server.address().port}`);
//# sourceMappingURL=service.js.map