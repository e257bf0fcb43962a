import { Readable } from 'node:stream';
import Koa from 'koa';
import { bytesOf, events, poll, work } from '../work.js';
import { appOf, serverOf } from './app.js';
export const koa = (transport, certificate) => {
    const app = new Koa();
    app.use(async (context) => {
        switch (context.path) {
            case '/work':
                context.body = await work();
                break;
            case '/poll':
                context.body = await poll();
                break;
            case '/events':
                context.type = 'text/event-stream';
                context.body = Readable.from(events());
                break;
            case '/upload':
                context.body = await bytesOf(context.req);
                break;
        }
    });
    return appOf(serverOf(transport, certificate, app.callback()));
};
//# sourceMappingURL=koa.js.map