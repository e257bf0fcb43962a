import http, {} from 'node:http';
import http2, {} from 'node:http2';
import https from 'node:https';
/** A server of Node for a request listener. HTTP/2 falls back to HTTP/1. */
export function serverOf(transport, certificate, listener) {
    if (transport === 'plain')
        return http.createServer(listener);
    if (transport === 'tls')
        return https.createServer({ ...certificate }, listener);
    const options = { ...certificate, allowHTTP1: true };
    // The types of Node keep the requests of both versions apart; a listener sees what they share.
    return http2.createSecureServer(options, listener);
}
/** The app of a framework that is a request listener. */
export function appOf(server) {
    return {
        server,
        target: server,
        listen: () => new Promise((resolve) => server.listen(0, '127.0.0.1', 1024, resolve)),
    };
}
//# sourceMappingURL=app.js.map