import { fileURLToPath } from 'node:url';
import createNext from 'next';
import { appOf, serverOf } from './app.js';
/** The app of Next, with a route handler for each path. */
export const NEXT_APP = fileURLToPath(new URL('../../next-app', import.meta.url));
/** A custom server of Next, built before. It does not speak HTTP/2. */
export const next = async (transport, certificate) => {
    // An export of CommonJS, which its types describe as a module.
    const create = createNext;
    const app = create({ dev: false, dir: NEXT_APP });
    await app.prepare();
    return {
        ...appOf(serverOf(transport, certificate, app.getRequestHandler())),
        close: () => app.close(),
    };
};
//# sourceMappingURL=next.js.map