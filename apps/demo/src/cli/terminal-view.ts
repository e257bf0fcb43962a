import type { OperationEvent } from '@temper/parsercraft-handlers';
import type { Demo } from '../demo.ts';
import { wasTurnedAway } from '../load/tally.ts';

/** What the view is drawn on: a terminal, or what stands in for one. */
interface Screen {
  readonly columns?: number;
  write(text: string): unknown;
}

/** What the view looks at. */
export interface Watched {
  /** Name and state of each breaker, and when an open one is tried again. */
  breakers(): readonly {
    readonly name: string;
    readonly state: string;
    readonly retryAfterMs: number | undefined;
  }[];
  onOperation(listener: (event: OperationEvent) => void): Disposable;
}

interface Counts {
  answered: number;
  older: number;
  refused: number;
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
 * A few lines at the foot of a terminal that show, as it happens, the state of each circuit and what
 * became of each kind of operation. Other lines go above it, by {@link above}.
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

  /** Lets `print` write its lines above the view. */
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

  /** What is shown, line by line. */
  lines(): readonly string[] {
    const circuits = this.#watched.breakers().map(({ name, state, retryAfterMs }) => {
      const wait =
        state === 'open' && retryAfterMs !== undefined
          ? ` ${(retryAfterMs / 1000).toFixed(1)} s`
          : '';
      return `${name} ${this.#paint(state)}${wait}`;
    });
    const rows = [...this.#counts].map(
      ([operation, { answered, older, refused, failed, attempts }]) =>
        `${operation.padEnd(15)} ${cell(answered)} ${cell(older)} ${cell(refused)} ${cell(failed)} ${cell(attempts)}`,
    );
    const head = `${'operation'.padEnd(15)} ${['answered', 'older', 'refused', 'failed', 'attempts'].map((one) => one.padStart(8)).join(' ')}`;
    return ['', `circuits: ${circuits.join(', ')}`, ...(rows.length === 0 ? [] : [head, ...rows])];
  }

  /** Takes the view off, and leaves its last lines where they are. */
  [Symbol.dispose](): void {
    this.#stack.dispose();
    this.#drawn = 0;
  }

  #count(event: OperationEvent): void {
    let counts = this.#counts.get(event.operation);
    if (counts === undefined) {
      counts = { answered: 0, older: 0, refused: 0, failed: 0, attempts: 0 };
      this.#counts.set(event.operation, counts);
    }
    counts.attempts += event.attempts;
    if (event.status === 'success') counts.answered += 1;
    else if (event.status === 'degraded') counts.older += 1;
    else if (wasTurnedAway(event)) counts.refused += 1;
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

/** A view of the demo at the foot of this terminal; undefined where the output is no terminal. */
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

// biome-ignore lint/suspicious/noControlCharactersInRegex: an escape sequence is one
const ESCAPES = /\u001B\[[0-9;]*m/g;

/** Cuts a line to the width of the terminal, so that it takes one row; colours are given up for that. */
function fit(line: string, width: number): string {
  const plain = line.replace(ESCAPES, '');
  return plain.length < width ? line : plain.slice(0, width - 1);
}
