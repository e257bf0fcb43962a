import express from 'express';
import { bytesOf, events, poll, work } from '../work.js';
import { appOf, serverOf } from './app.js';
/** Express, which does not speak HTTP/2. */
export const withExpress = (transport, certificate) => {
    const app = express();
    app.get('/work', async (_request, response) => void response.send(await work()));
    app.get('/poll', async (_request, response) => void response.send(await poll()));
    app.get('/events', async (_request, response) => {
        response.type('text/event-stream');
        for await (const event of events())
            response.write(event);
        response.end();
    });
    app.post('/upload', async (request, response) => void response.send(await bytesOf(request)));
    return appOf(serverOf(transport, certificate, app));
};
//# sourceMappingURL=express.js.map