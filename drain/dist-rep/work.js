// What every service answers and every client expects.
import { setTimeout as sleep } from 'node:timers/promises';
/** Body of `GET /work`, long enough to be truncated. */
export const WORK_BODY = 'x'.repeat(20_000);
/** Body of `GET /poll`. */
export const POLL_BODY = 'something has happened';
/** Number of events of `GET /events`; the last one is {@link LAST_EVENT}. */
export const EVENTS = 10;
export const LAST_EVENT = 'last';
/** Size of the body of `POST /upload` in bytes, and the number of parts in which the client sends it. */
export const UPLOAD_BYTES = 131_072;
export const UPLOAD_PARTS = 8;
/** Pause between two parts of an upload, in milliseconds. */
export const UPLOAD_PAUSE_MS = 25;
/** The work of one request: 50 to 250 ms. */
export async function work() {
    await sleep(50 + Math.random() * 200);
    return WORK_BODY;
}
/** Waits for 600 ms, as a long poll does until something happens. */
export async function poll() {
    await sleep(600);
    return POLL_BODY;
}
/** Events, one each 40 ms, in the format of `text/event-stream`. */
export async function* events() {
    for (let n = 1; n <= EVENTS; n++) {
        await sleep(40);
        yield `data: ${n === EVENTS ? LAST_EVENT : n}\n\n`;
    }
}
/** Counts the bytes of a body. */
export async function bytesOf(body) {
    let bytes = 0;
    for await (const chunk of body)
        bytes += chunk.length;
    return String(bytes);
}
//# sourceMappingURL=work.js.map