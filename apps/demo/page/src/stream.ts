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

type Listener<K extends keyof Events> = (data: Events[K]) => void;

/** The event stream, which reconnects automatically. */
export class Stream {
  readonly #listeners = new Map<string, Set<Listener<never>>>();
  #source: EventSource | undefined;

  on<K extends keyof Events>(name: K, listener: Listener<K>): void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener as Listener<never>);
  }

  open(): void {
    const source = new EventSource('/v1/events');
    this.#source = source;
    source.addEventListener('open', () => this.#tell('connection', 'live'));
    source.addEventListener('error', () => {
      this.#tell('connection', 'lost');
      // An error response closes an EventSource permanently, although the service may accept it later.
      if (source.readyState === EventSource.CLOSED && this.#source === source) {
        setTimeout(() => this.open(), 3_000);
      }
    });
    for (const name of this.#listeners.keys()) {
      if (name === 'connection') continue;
      source.addEventListener(name, ({ data }) => this.#tell(name, JSON.parse(data)));
    }
  }

  #tell(name: string, data: unknown): void {
    for (const listener of this.#listeners.get(name) ?? []) listener(data as never);
  }
}
