import { now } from './line.js';
/** What happened to the requests of a load. Nothing is retried and nothing is forgiven. */
export class Tally {
    /** Requests of which at least one byte was sent, or whose connection was accepted. */
    sent = 0;
    /** Requests that received their complete and correct answer. */
    answered = 0;
    /** Connections that were refused: the client knows that its request was not sent. */
    refused = 0;
    /** The other requests. */
    lost = [];
    /** Requests without an answer yet. */
    get inFlight() {
        return this.sent - this.answered - this.lost.length;
    }
    /** Counts a connection that could not be opened. */
    notOpened(error, line) {
        if (error.code === 'ECONNREFUSED') {
            this.refused++;
            return;
        }
        // The kernel had accepted it, or a handshake had begun.
        this.sent++;
        this.lose(error, 'new', line);
    }
    /** Counts a request as lost. */
    lose(error, connection, line) {
        const { code, message } = error;
        const { phase, port, connectedAt, received } = line;
        const reason = `${code ?? message} on a ${connection} connection`;
        this.lost.push({ reason, code, phase, port, connectedAt, lostAt: now(), received });
    }
}
/** Longest pause of a client between an answer and its next request, in milliseconds. */
export const PAUSE_MS = 50;
//# sourceMappingURL=tally.js.map