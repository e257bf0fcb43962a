import type { OperationEvent } from '@temper/parsercraft-handlers';
import type { Demo } from '../demo.ts';
import { wasRejected } from '../load/tally.ts';

/** The output that the view is drawn on. */
interface Screen {
  readonly columns?: number;
  write(text: string): unknown;
}

/** The data that the view shows. */
export interface Watched {
  /** Name and state of each breaker, and the time until an open one allows a trial call. */
  breakers(): readonly {
    readonly name: string;
    readonly state: string;
    readonly retryAfterMs: number | undefined;
  }[];
  onOperation(listener: (event: OperationEvent) => void): Disposable;
}

interface Counts {
  answered: number;
  degraded: number;
  rejected: number;
  failed: number;
  attempts: number;
}

const REFRESH_MS = 500;
const COLORS: Readonly<Record<string, number>> = {
  closed: 32,
  'half-open': 33,
  open: 31,
  isolated: 35,
};

/**
 * Shows the state of each circuit and the outcome counts of each operation in the last lines of a
 * terminal, refreshed twice a second. Print other lines through {@link above}.
 */
export class TerminalView implements Disposable {
  readonly #screen: Screen;
  readonly #watched: Watched;
  readonly #color: boolean;
  readonly #stack = new DisposableStack();
  readonly #counts = new Map<string, Counts>();
  #drawn = 0;

  constructor(screen: Screen, watched: Watched, color: boolean) {
    this.#screen = screen;
    this.#watched = watched;
    this.#color = color;
    this.#stack.use(watched.onOperation((event) => this.#count(event)));
    const timer = setInterval(() => this.draw(), REFRESH_MS).unref();
    this.#stack.defer(() => clearInterval(timer));
  }

  /** Calls `print` so that its lines appear above the view. */
  above(print: () => void): void {
    this.#erase();
    print();
    this.draw();
  }

  draw(): void {
    const width = Math.max(20, this.#screen.columns ?? 80);
    const lines = this.lines().map((line) => fit(line, width));
    this.#erase();
    this.#screen.write(`${lines.join('\n')}\n`);
    this.#drawn = lines.length;
  }

  /** The lines of the view. */
  lines(): readonly string[] {
    const circuits = this.#watched.breakers().map(({ name, state, retryAfterMs }) => {
      const wait =
        state === 'open' && retryAfterMs !== undefined
          ? ` ${(retryAfterMs / 1000).toFixed(1)} s`
          : '';
      return `${name} ${this.#paint(state)}${wait}`;
    });
    const rows = [...this.#counts].map(
      ([operation, { answered, degraded, rejected, failed, attempts }]) =>
        `${operation.padEnd(15)} ${cell(answered)} ${cell(degraded)} ${cell(rejected)} ${cell(failed)} ${cell(attempts)}`,
    );
    const head = `${'operation'.padEnd(15)} ${['answered', 'degraded', 'rejected', 'failed', 'attempts'].map((one) => one.padStart(8)).join(' ')}`;
    return ['', `circuits: ${circuits.join(', ')}`, ...(rows.length === 0 ? [] : [head, ...rows])];
  }

  /** Stops refreshing. The last lines stay on the terminal. */
  [Symbol.dispose](): void {
    this.#stack.dispose();
    this.#drawn = 0;
  }

  #count(event: OperationEvent): void {
    let counts = this.#counts.get(event.operation);
    if (counts === undefined) {
      counts = { answered: 0, degraded: 0, rejected: 0, failed: 0, attempts: 0 };
      this.#counts.set(event.operation, counts);
    }
    counts.attempts += event.attempts;
    if (event.status === 'success') counts.answered += 1;
    else if (event.status === 'degraded') counts.degraded += 1;
    else if (wasRejected(event)) counts.rejected += 1;
    else if (event.status !== 'aborted') counts.failed += 1;
  }

  #paint(state: string): string {
    const color = COLORS[state];
    return this.#color && color !== undefined ? `\u001B[${color}m${state}\u001B[0m` : state;
  }

  #erase(): void {
    if (this.#drawn > 0) this.#screen.write(`\u001B[${this.#drawn}A\u001B[0J`);
    this.#drawn = 0;
  }
}

/** Creates a view of the demo; undefined when the output is not a terminal. */
export function viewOn(terminal: NodeJS.WriteStream, demo: Demo): TerminalView | undefined {
  if (!terminal.isTTY) return undefined;
  const { hardening } = demo.service;
  const watched: Watched = {
    breakers: () =>
      Object.values(hardening.policies.breakers).map((breaker) => ({
        name: breaker.name,
        state: breaker.state,
        retryAfterMs: breaker.stats().retryAfterMs,
      })),
    onOperation: (listener) => hardening.onOperation(listener),
  };
  return new TerminalView(terminal, watched, (process.env.NO_COLOR ?? '') === '');
}

function cell(value: number): string {
  return String(value).padStart(8);
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences start with ESC
const ESCAPES = /\u001B\[[0-9;]*m/g;

/** Truncates a line that is wider than the terminal. A truncated line loses its colours. */
function fit(line: string, width: number): string {
  const plain = line.replace(ESCAPES, '');
  return plain.length < width ? line : plain.slice(0, width - 1);
}
