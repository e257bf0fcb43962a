/** The object through which every installed copy of the OpenTelemetry API finds its providers. */
type ApiGlobal = Record<string, unknown>;

const API_KEY = Symbol.for('opentelemetry.js.api.1');

/** Called with what is registered for a signal now: a provider, or `undefined` for none. */
export type ProviderListener = (provider: unknown) => void;

/**
 * Hears about the metrics and trace providers of this process, whenever and by whichever copy of
 * the API they are registered, without a timer and at no cost to anybody's reads.
 *
 * The API keeps providers as own properties of one global object, sets each by plain assignment, and
 * takes it away by `delete`. So that object is given a prototype whose accessors see an assignment
 * exactly when no own property is in the way, which is when a provider is registered; they then
 * define the own property that the API meant to make. Reads find that own property and never reach
 * the accessors. See docs/adr/0002-hearing-a-provider-arrive.md.
 */
export function watchProviders(listeners: Readonly<Record<string, ProviderListener>>): void {
  const root = globalThis as unknown as Record<symbol, ApiGlobal | undefined>;
  const existing = root[API_KEY];
  if (existing !== undefined) {
    adopt(existing, listeners);
    return;
  }
  // A copy of core with another protocol may be waiting too; it must hear what we hear.
  const waiting = Object.getOwnPropertyDescriptor(root, API_KEY)?.set;
  Object.defineProperty(root, API_KEY, {
    configurable: true,
    enumerable: true,
    get: () => undefined,
    set: (api: ApiGlobal) => {
      waiting?.call(root, api);
      Object.defineProperty(root, API_KEY, {
        configurable: true,
        enumerable: true,
        writable: true,
        value: api,
      });
      adopt(api, listeners);
    },
  });
}

function adopt(api: ApiGlobal, listeners: Readonly<Record<string, ProviderListener>>): void {
  for (const [signal, listener] of Object.entries(listeners)) {
    if (Object.hasOwn(api, signal)) listener(api[signal]);
  }
  if (!Object.isExtensible(api)) return; // registered providers are heard; later ones cannot be
  const prototype = Object.create(Object.getPrototypeOf(api) as object | null) as object;
  for (const [signal, listener] of Object.entries(listeners)) {
    const listening = setterOf(Object.getPrototypeOf(api) as object | null, signal);
    Object.defineProperty(prototype, signal, {
      configurable: true,
      get: () => undefined,
      set(this: ApiGlobal, provider: unknown) {
        listening?.call(this, provider);
        Object.defineProperty(this, signal, {
          configurable: true,
          enumerable: true,
          writable: true,
          value: provider,
        });
        listener(provider);
      },
    });
  }
  Object.setPrototypeOf(api, prototype);
}

function setterOf(from: object | null, key: string): ((value: unknown) => void) | undefined {
  let object = from;
  while (object !== null) {
    const found = Object.getOwnPropertyDescriptor(object, key);
    if (found !== undefined) return found.set;
    object = Object.getPrototypeOf(object) as object | null;
  }
  return undefined;
}
