import { asyncScope, builtinModule } from '@temper/core/policy';
import { BoundedMap } from '../bounded-map.ts';

/** Where one attempt of a request has been sent. */
export interface Route {
  /** The origin that was asked. */
  readonly asked: string;
  /** The origin that was asked last, after redirects; `undefined` until that of the request has been. */
  last: string | undefined;
  /** Whether the response has come. What is sent then is another request. */
  arrived: boolean;
  /** Whether the sender has told of the request: only then is it known that it has not been sent. */
  announced: boolean;
  /** Whether the headers of the request, or of another one of its sender, have been written. */
  sent: boolean;
  /** Whether undici has written another request for the origin to a younger connection. */
  readonly isOutlived: boolean;
}

/** What the listener writes to. A class, so that what undici keeps of a request holds no closure of its attempt. */
class OwnRoute implements Route {
  readonly asked: string;
  last: string | undefined;
  arrived = false;
  announced = false;
  sent = false;
  /** The number of the connection that the request was last written to. */
  connection: number | undefined;

  constructor(asked: string) {
    this.asked = asked;
  }

  get isOutlived(): boolean {
    return this.connection !== undefined && this.connection < (youngest.get(this.asked) ?? 0);
  }
}

/** Connections in the order of their first request. */
const connections = new WeakMap<object, number>();
let lastConnection = 0;
/** The youngest connection of an origin that a request was written to. */
const youngest = new BoundedMap<string, number>(1000);

function numberOf(socket: object): number {
  const number = connections.get(socket) ?? ++lastConnection;
  connections.set(socket, number);
  return number;
}

/** Where there are no asynchronous contexts, redirects are not told apart. */
const routes = asyncScope<OwnRoute>();
/** The routes of requests that have not been written yet. */
const written = new WeakMap<object, OwnRoute>();
let listens = false;
/** Whether undici has told of a request, so that the `fetch` which answers may be its own. */
let heard = false;

/** What undici says of a request on its channels. */
interface Message {
  readonly request?: { readonly origin?: unknown; readonly method?: unknown };
  readonly socket?: object;
}

/** `fetch` connects and follows redirects itself; undici, which is behind it, tells of each request. */
function listen(): void {
  if (listens) return;
  listens = true;
  const channels = builtinModule<typeof import('node:diagnostics_channel')>(
    'node:diagnostics_channel',
  );
  channels?.subscribe('undici:request:create', (message) => {
    heard = true;
    const route = routes.get();
    const { request } = message as Message;
    // A connection through a proxy is a request of its own.
    if (route === undefined || request === undefined || request.method === 'CONNECT') return;
    const origin = originOf(String(request.origin));
    if (origin === route.asked) route.announced = true;
    written.set(request, route);
    goTo(route, origin);
  });
  channels?.subscribe('undici:client:sendHeaders', (message) => {
    const { request = {}, socket } = message as Message;
    const route = written.get(request);
    if (route === undefined) return;
    route.sent = true;
    if (socket === undefined) return;
    route.connection = numberOf(socket);
    youngest.set(route.asked, Math.max(route.connection, youngest.get(route.asked) ?? 0));
  });
}

function goTo(route: Route, origin: string | undefined): void {
  // A sender may make requests of its own: for a token before, for a log after.
  if (route.arrived || (route.last === undefined && origin !== route.asked)) return;
  route.last = origin ?? route.last;
}

function originOf(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).origin : undefined;
}

/** Makes an attempt at `origin`, and follows where it is sent. */
export function routed<T>(origin: string, attempt: (route: Route) => T): T {
  listen();
  const route = new OwnRoute(origin);
  return routes.run(route, () => attempt(route));
}

/** Whether requests of this process have been sent by undici. */
export function undiciSends(): boolean {
  return heard;
}

/** A response has come: its `url` tells where from, whoever sent the request. */
export function arrived(route: Route, response: Response): void {
  try {
    route.last = originOf(response.url) ?? route.last;
  } catch {
    // A sender of the user's may return anything.
  }
  route.arrived = true;
}

/** Where the present attempt was redirected to, when that is another origin than the one asked for. */
export function redirectedFrom(): string | undefined {
  const route = routes.get();
  return route === undefined || route.last === route.asked ? undefined : route.last;
}
