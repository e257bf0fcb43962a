/** Body of `GET /work`, long enough to be truncated. */
export declare const WORK_BODY: string;
/** Body of `GET /poll`. */
export declare const POLL_BODY = "something has happened";
/** Number of events of `GET /events`; the last one is {@link LAST_EVENT}. */
export declare const EVENTS = 10;
export declare const LAST_EVENT = "last";
/** Size of the body of `POST /upload` in bytes, and the number of parts in which the client sends it. */
export declare const UPLOAD_BYTES = 131072;
export declare const UPLOAD_PARTS = 8;
/** Pause between two parts of an upload, in milliseconds. */
export declare const UPLOAD_PAUSE_MS = 25;
/** The work of one request: 50 to 250 ms. */
export declare function work(): Promise<string>;
/** Waits for 600 ms, as a long poll does until something happens. */
export declare function poll(): Promise<string>;
/** Events, one each 40 ms, in the format of `text/event-stream`. */
export declare function events(): AsyncGenerator<string, void>;
/** Counts the bytes of a body. */
export declare function bytesOf(body: AsyncIterable<Uint8Array>): Promise<string>;
//# sourceMappingURL=work.d.ts.map