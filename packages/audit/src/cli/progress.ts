import type { Io } from './io.ts';

/** Time before the bar is shown, so that short commands show none. */
const SHOW_AFTER_MS = 500;
const REDRAW_MS = 100;
const WIDTH = 30;

/** A progress bar on stderr, shown only on a terminal. */
export class Progress {
  readonly #io: Io;
  readonly #total: number;
  readonly #startedAt: number;
  #drawnAt: number;
  #drawn = false;

  constructor(io: Io, total: number) {
    this.#io = io;
    this.#total = total;
    this.#startedAt = io.clock.monotonic();
    this.#drawnAt = this.#startedAt + SHOW_AFTER_MS - REDRAW_MS;
  }

  update(done: number): void {
    const { stderr, clock } = this.#io;
    const now = clock.monotonic();
    if (!stderr.isTerminal || this.#total === 0 || now - this.#drawnAt < REDRAW_MS) return;
    this.#drawnAt = now;
    this.#drawn = true;
    const share = Math.min(1, done / this.#total);
    const rate = Math.round((done / (now - this.#startedAt)) * 1_000);
    const bar = '█'.repeat(Math.round(share * WIDTH)).padEnd(WIDTH, '░');
    const text = `${bar} ${Math.floor(share * 100)} %  ${done.toLocaleString('en')} events, ${rate.toLocaleString('en')}/s`;
    void stderr.write(`\r\u001b[2K${text.slice(0, stderr.columns - 1)}`);
  }

  /** Removes the bar. */
  end(): void {
    if (this.#drawn) void this.#io.stderr.write('\r\u001b[2K');
  }
}
