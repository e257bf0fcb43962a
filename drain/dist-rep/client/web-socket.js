import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocket } from 'ws';
import { Line } from './line.js';
import { PAUSE_MS } from './tally.js';
/** Clients that each send one message after the other and wait for its answer. */
export function webSocketLoad(options, secure) {
    let stopped = false;
    const { port, tally, whenTold } = options;
    const open = (line) => new Promise((resolve, reject) => {
        const socket = new WebSocket(`${secure ? 'wss' : 'ws'}://127.0.0.1:${port}/`, {
            createConnection: () => line.socket,
        });
        socket.once('error', reject);
        socket.once('open', () => {
            socket.off('error', reject);
            socket.on('error', () => { });
            resolve(socket);
        });
    });
    async function work() {
        for (let number = 0; !stopped;) {
            const line = new Line(port, secure ? ['http/1.1'] : undefined);
            const socket = await open(line).catch((error) => {
                tally.notOpened(error, line);
            });
            if (socket === undefined)
                return;
            const closed = once(socket, 'close').then(([code]) => new Error(`closed with code ${code}`));
            for (let isNew = true; !stopped && socket.readyState === socket.OPEN; isNew = false) {
                tally.sent++;
                const text = String(number++);
                const answer = once(socket, 'message').then(([message]) => String(message));
                answer.catch(() => { });
                socket.send(text);
                const got = await Promise.race([answer, closed]);
                if (got === text)
                    tally.answered++;
                else
                    tally.lose(got instanceof Error ? got : new Error('a wrong answer'), isNew ? 'new' : 'used', line);
                await sleep(Math.random() * PAUSE_MS);
            }
            socket.terminate();
            if (whenTold === 'go')
                return;
        }
    }
    return {
        stop: () => {
            stopped = true;
        },
        done: Promise.all(Array.from({ length: options.workers }, work)),
    };
}
//# sourceMappingURL=web-socket.js.map