import net, {} from 'node:net';
import tls from 'node:tls';
/** Milliseconds since the epoch, on a clock that does not jump. */
export const now = () => performance.timeOrigin + performance.now();
/** A connection of a client to 127.0.0.1, with what is known of it if a request on it is lost. */
export class Line {
    socket;
    /** Protocols offered over TLS; undefined for a connection without. */
    #protocols;
    /** The port of the client. */
    port;
    connectedAt;
    #securedAt;
    constructor(port, protocols) {
        const to = { host: '127.0.0.1', port };
        this.#protocols = protocols;
        this.socket =
            protocols === undefined
                ? net.connect(to)
                : tls.connect({
                    ...to,
                    servername: 'localhost',
                    rejectUnauthorized: false,
                    ALPNProtocols: [...protocols],
                });
        this.socket.once('connect', () => {
            this.port = this.socket.localPort;
            this.connectedAt = now();
        });
        this.socket.once('secureConnect', () => {
            this.#securedAt = now();
        });
    }
    get phase() {
        if (this.connectedAt === undefined)
            return 'connecting';
        return this.#protocols !== undefined && this.#securedAt === undefined ? 'handshake' : 'open';
    }
    /** Bytes received, of TLS before they are deciphered. */
    get received() {
        return this.socket.bytesRead;
    }
}
//# sourceMappingURL=line.js.map