import http, { type RequestListener } from 'node:http';
import { type Http2SecureServer } from 'node:http2';
import https from 'node:https';
import type { Certificate } from '../certificate.ts';
/** What a client connects with. */
export type Transport = 'plain' | 'tls' | 'h2';
/** A server of Node. */
export type Server = http.Server | https.Server | Http2SecureServer;
/** A service in some framework that does not listen yet. */
export interface App {
    readonly server: Server;
    /** What `shutdown.server()` receives. */
    readonly target: Server | {
        readonly server: Server;
    } | {
        getHttpServer(): Server;
    };
    /** Listens on a free port of 127.0.0.1. */
    listen(): Promise<unknown>;
    /** Closes the framework. Absent if it has nothing to close but its server. */
    close?(): Promise<unknown>;
}
/** Starts a service in one framework. `certificate` is undefined for the transport `plain`. */
export type Framework = (transport: Transport, certificate: Certificate | undefined) => App | Promise<App>;
/** A server of Node for a request listener. HTTP/2 falls back to HTTP/1. */
export declare function serverOf(transport: Transport, certificate: Certificate | undefined, listener: RequestListener): Server;
/** The app of a framework that is a request listener. */
export declare function appOf(server: Server): App;
//# sourceMappingURL=app.d.ts.map