import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { healthHandler } from '@temper/health';
import type { LivenessWatchdog } from '@temper/health/watchdog';
import type { RateLimitStore } from '@temper/ratelimit/shared';
import type { FastifyInstance } from 'fastify';
import type { Demo } from '../demo.ts';
import { Feed } from '../live/feed.ts';
import { EventHub } from '../live/hub.ts';
import { ScenarioHost } from '../scenarios/scenario-host.ts';
import type { Telemetry } from '../telemetry/start.ts';
import { Access } from './access.ts';
import { createApp } from './app.ts';
import { ClientLimit } from './client-limit.ts';
import type { HttpContext } from './context.ts';
import { addGuards, clientOf } from './guards.ts';
import { methodsNotAllowed } from './methods.ts';
import { addOpenApi } from './openapi.ts';
import { addPageFiles } from './page-files.ts';
import { RefusalLog } from './refusals.ts';
import { addRoutes } from './routes/all.ts';

interface HttpOptions {
  readonly host: string;
  readonly allowedHosts: readonly string[];
  readonly telemetry: Telemetry;
  readonly log: (line: string) => void;
  readonly jaegerUrl?: string | undefined;
  /** Token of the operator. @defaultValue a new random token of 256 bits */
  readonly token?: string | undefined;
  /** Requests allowed per client and minute. @defaultValue 1200 */
  readonly clientLimit?: number | undefined;
  /** Shares the client limit with other instances. */
  readonly store?: RateLimitStore | undefined;
  /** Its stalls are in the answer of `/v1/health`. */
  readonly watchdog?: LivenessWatchdog | undefined;
  /** Folder for heap snapshots. @defaultValue the folder for temporary files */
  readonly dataDir?: string | undefined;
}

/** The HTTP server of a demo. */
export interface HttpSide {
  /** The underlying server, for the graceful shutdown. */
  readonly server: Server;
  readonly app: FastifyInstance;
  readonly token: string;
  readonly hub: EventHub;
  /**
   * Starts listening. With `orNext`, tries up to 50 following ports when the port is in use.
   *
   * @returns the URL
   */
  listen(port: number, orNext?: boolean): Promise<string>;
  /** Closes event streams and the running scenario. Other connections stay open. */
  release(): Promise<void>;
  /** Closes everything, connections included. */
  close(): Promise<void>;
}

/** Output folder of the page's build. */
const PAGE_FOLDER = fileURLToPath(new URL('../page', import.meta.url));
const PORTS_TRIED = 50;

export async function httpSide(demo: Demo, options: HttpOptions): Promise<HttpSide> {
  const { host, telemetry, log } = options;
  const app = createApp(({ traceId, route, stack }) => log(`error ${traceId} ${route}: ${stack}`));
  const hub = new EventHub();
  const feed = new Feed(demo, telemetry, hub);
  const access = new Access({ hosts: [host, ...options.allowedHosts], token: options.token });
  const refusals = new RefusalLog(demo.service.audit.log);
  const context: HttpContext = {
    demo,
    telemetry,
    access,
    clients: new ClientLimit({
      clientOf: (request) => clientOf({ access }, request),
      limit: options.clientLimit,
      store: options.store,
      onRefusal: (limiter, client) => {
        feed.turnAway();
        refusals.add(limiter, client);
      },
    }),
    watchdog: options.watchdog,
    dataDir: options.dataDir ?? tmpdir(),
    hub,
    feed,
    scenarios: new ScenarioHost(demo, (news) => hub.publish('scenario', news)),
    jaegerUrl: options.jaegerUrl,
  };
  addGuards(app, context);
  const probes = healthHandler(demo.service.monitor, {
    details: ({ headers }) => access.hasToken(headers),
  });
  app.addHook('onRequest', (request, reply, done) => {
    if (!/^\/(?:livez|readyz|startupz)(?:\?|$)/.test(request.url)) {
      done();
      return;
    }
    reply.hijack();
    probes(request.raw, reply.raw);
  });
  const answerOthers = methodsNotAllowed(app);
  await addOpenApi(app);
  addRoutes(app, context);
  addPageFiles(app, PAGE_FOLDER);
  answerOthers();
  await app.ready();

  const release = async (): Promise<void> => {
    await context.scenarios.close();
    feed[Symbol.dispose]();
    hub.close();
    context.clients[Symbol.dispose]();
    refusals[Symbol.dispose]();
  };
  return {
    server: app.server,
    app,
    token: context.access.token,
    hub,
    listen: async (port, orNext = false) => {
      for (let tried = 0; ; tried += 1) {
        try {
          await app.listen({ host, port: port + tried });
          break;
        } catch (error) {
          const { code } = error as NodeJS.ErrnoException;
          if (code !== 'EADDRINUSE' || !orNext || tried === PORTS_TRIED) throw error;
          if (tried === 0) log(`port ${port} is in use; using the next free port`);
        }
      }
      const { port: taken } = app.server.address() as AddressInfo;
      const url = `http://${host.includes(':') ? `[${host}]` : host}:${taken}`;
      demo.drills.endpoint.set({ url, token: context.access.token });
      return url;
    },
    release,
    close: async () => {
      await release();
      app.server.closeAllConnections();
      await app.close();
    },
  };
}
