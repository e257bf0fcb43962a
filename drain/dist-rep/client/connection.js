/** One connection. Responses are read in order. */
export class Connection {
    line;
    #socket;
    #waiting = [];
    #received = Buffer.alloc(0);
    #error;
    constructor(line) {
        const { socket } = line;
        this.line = line;
        this.#socket = socket;
        socket.on('data', (data) => {
            this.#received = Buffer.concat([this.#received, data]);
            this.#parse();
        });
        socket.on('error', (error) => this.#fail(error));
        socket.on('end', () => this.#fail(new Error('closed')));
        socket.on('close', () => this.#fail(new Error('closed')));
    }
    /** Resolves when it is open, over TLS after the handshake. Rejects with the error of the socket. */
    static open(line, secure) {
        return new Promise((resolve, reject) => {
            const { socket } = line;
            socket.setNoDelay();
            socket.once('error', reject);
            socket.once('close', () => reject(new Error('closed before it was open')));
            socket.once(secure ? 'secureConnect' : 'connect', () => {
                socket.off('error', reject);
                resolve(new Connection(line));
            });
        });
    }
    /** Whether the server has not closed it. */
    get usable() {
        return this.#error === undefined;
    }
    /** Sends bytes as they are. */
    send(bytes) {
        if (this.#socket.writable)
            this.#socket.write(bytes);
    }
    /** The next response. Rejects when the connection ends before it is complete. */
    response() {
        return new Promise((resolve, reject) => {
            if (this.#error === undefined)
                this.#waiting.push({ resolve, reject });
            else
                reject(this.#error);
        });
    }
    destroy() {
        this.#socket.destroy();
    }
    #fail(error) {
        this.#error ??= error;
        for (const { reject } of this.#waiting.splice(0))
            reject(this.#error);
    }
    #parse() {
        while (this.#waiting.length > 0) {
            let parsed;
            try {
                parsed = parseResponse(this.#received);
            }
            catch (error) {
                this.#fail(error);
                this.destroy();
                return;
            }
            if (parsed === undefined)
                return;
            this.#received = this.#received.subarray(parsed.length);
            this.#waiting.shift()?.resolve(parsed.response);
        }
    }
}
/**
 * @returns undefined if the response is not complete
 * @throws {Error} if its end is not marked, so that nobody could tell whether it is complete
 */
function parseResponse(bytes) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0)
        return undefined;
    const head = bytes.toString('latin1', 0, end).toLowerCase();
    const header = (name) => new RegExp(`\r\n${name}: *([^\r]*)`).exec(head)?.[1];
    const parsed = header('transfer-encoding') === 'chunked'
        ? parseChunks(bytes, end + 4)
        : parseBody(bytes, end + 4, Number(header('content-length')));
    if (parsed === undefined)
        return undefined;
    const status = Number(head.slice(9, 12));
    const close = header('connection') === 'close';
    return { response: { status, close, body: parsed.body }, length: parsed.end };
}
function parseBody(bytes, start, length) {
    if (Number.isNaN(length))
        throw new Error('a response without a length');
    if (bytes.length < start + length)
        return undefined;
    return { body: bytes.toString('latin1', start, start + length), end: start + length };
}
function parseChunks(bytes, start) {
    let body = '';
    for (let at = start;;) {
        const line = bytes.indexOf('\r\n', at);
        if (line < 0)
            return undefined;
        const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
        const end = line + 2 + size + 2;
        if (bytes.length < end)
            return undefined;
        body += bytes.toString('latin1', line + 2, end - 2);
        if (size === 0)
            return { body, end };
        at = end;
    }
}
//# sourceMappingURL=connection.js.map