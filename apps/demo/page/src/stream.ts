import type {
  AuditEvent,
  BreakerChange,
  FaultState,
  Health,
  Hello,
  Operations,
  ScenarioNews,
  Second,
  Trace,
} from './wire.ts';

/** Payloads of the events by name. */
interface Events {
  readonly hello: Hello;
  readonly operations: Operations;
  readonly breaker: BreakerChange;
  readonly second: Second;
  readonly audit: { readonly events: readonly AuditEvent[] };
  readonly health: Health;
  readonly trace: Trace;
  readonly fault: FaultState;
  readonly scenario: ScenarioNews;
  /** Emitted by this page when the connection is established or lost. */
  readonly connection: 'live' | 'lost';
}

/**
 * A service that has stopped, or is behind a network that is gone, ends no connection: after so long without an
 * event, of which there is one each second, nothing is known of it. In milliseconds; longer than the stall of the
 * event loop that can be switched on.
 */
const SILENCE_MS = 8_000;

type Listener<K extends keyof Events> = (data: Events[K]) => void;

/** The event stream, which reconnects automatically. */
export class Stream {
  readonly #listeners = new Map<string, Set<Listener<never>>>();
  #source: EventSource | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;

  on<K extends keyof Events>(name: K, listener: Listener<K>): void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener as Listener<never>);
  }

  open(): void {
    const source = new EventSource('/v1/events');
    this.#source = source;
    source.addEventListener('open', () => this.#heard());
    source.addEventListener('error', () => {
      this.#lost();
      // An error response closes an EventSource permanently, although the service may accept it later.
      if (source.readyState === EventSource.CLOSED && this.#source === source) {
        setTimeout(() => this.open(), 3_000);
      }
    });
    for (const name of this.#listeners.keys()) {
      if (name === 'connection') continue;
      source.addEventListener(name, ({ data }) => {
        this.#heard();
        this.#tell(name, JSON.parse(data));
      });
    }
  }

  #heard(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#lost(), SILENCE_MS);
    this.#tell('connection', 'live');
  }

  #lost(): void {
    clearTimeout(this.#silence);
    this.#tell('connection', 'lost');
  }

  #tell(name: string, data: unknown): void {
    for (const listener of this.#listeners.get(name) ?? []) listener(data as never);
  }
}
