import { Readable } from 'node:stream';
import { bytesOf, events, poll, work } from '../work.js';
import { appOf, serverOf } from './app.js';
/** `node:http`, `node:https` or `node:http2`. */
export const node = (transport, certificate) => appOf(serverOf(transport, certificate, async (request, response) => {
    switch (request.url) {
        case '/work':
            response.end(await work());
            break;
        case '/poll':
            response.end(await poll());
            break;
        case '/events':
            response.writeHead(200, { 'content-type': 'text/event-stream' });
            Readable.from(events()).pipe(response);
            break;
        case '/upload':
            response.end(await bytesOf(request));
            break;
        default:
            response.writeHead(404).end();
    }
}));
//# sourceMappingURL=node.js.map