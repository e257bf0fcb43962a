import http2 from 'node:http2';
import https from 'node:https';
import { createAdaptorServer } from '@hono/node-server';
import { Hono } from 'hono';
import { streamSSE } from 'hono/streaming';
import { bytesOf, events, poll, work } from '../work.js';
import { appOf } from './app.js';
export const hono = (transport, certificate) => {
    const app = new Hono();
    app.get('/work', async (context) => context.text(await work()));
    app.get('/poll', async (context) => context.text(await poll()));
    app.get('/events', (context) => streamSSE(context, async (stream) => {
        for await (const event of events())
            await stream.write(event);
    }));
    app.post('/upload', async ({ req, text }) => text(await bytesOf(req.raw.body)));
    const { fetch } = app;
    const serverOptions = { ...certificate, allowHTTP1: true };
    const server = transport === 'plain'
        ? createAdaptorServer({ fetch })
        : transport === 'tls'
            ? createAdaptorServer({ fetch, createServer: https.createServer, serverOptions })
            : createAdaptorServer({ fetch, createServer: http2.createSecureServer, serverOptions });
    return appOf(server);
};
//# sourceMappingURL=hono.js.map