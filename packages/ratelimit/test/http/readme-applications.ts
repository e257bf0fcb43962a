import 'reflect-metadata';
import { once } from 'node:events';
import { createServer, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { serve } from '@hono/node-server';
import { Controller, Get, HttpException, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import express from 'express';
import fastify from 'fastify';
import { Hono } from 'hono';

/** Status of the answer, of each application. */
export type Statuses = Record<'express' | 'fastify' | 'hono' | 'nest' | 'upgrade', number>;

class Routes {
  answer(): string {
    return 'hello';
  }
}
Get()(
  Routes.prototype,
  'answer',
  Object.getOwnPropertyDescriptor(Routes.prototype, 'answer') as TypedPropertyDescriptor<unknown>,
);
Controller()(Routes);
class App {}
Module({ controllers: [Routes] })(App);

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

async function upgradeStatus(port: number): Promise<number> {
  const asked = request({
    port,
    host: '127.0.0.1',
    headers: { Connection: 'Upgrade', Upgrade: 'echo' },
  });
  asked.end();
  return new Promise((resolve, reject) => {
    asked.on('error', reject);
    asked.on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    asked.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve(response.statusCode ?? 0);
    });
  });
}

/**
 * Runs code with a new application of each framework.
 *
 * @param run - with what the README calls its reader's, and a function that asks each application once the
 * code has put its limits before them
 */
export async function withFrameworks(
  run: (yours: Record<string, unknown>, ask: () => Promise<Statuses>) => Promise<void>,
): Promise<void> {
  const expressApp = express();
  const fastifyApp = fastify();
  const honoApp = new Hono();
  const nestApp = await NestFactory.create(App, { logger: false });
  const server = createServer();
  const accept = (_request: unknown, socket: Duplex): void => {
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
  };
  const handle = (): Response => new Response('hello');
  let servers: Record<'express' | 'fastify' | 'hono' | 'nest', string> | undefined;
  const started: Server[] = [];
  const start = async (): Promise<Record<'express' | 'fastify' | 'hono' | 'nest', string>> => {
    // Routes come after the middlewares.
    expressApp.get('/', (_request, response) => void response.send('hello'));
    fastifyApp.get('/', async () => 'hello');
    honoApp.get('/', (context) => context.text('hello'));
    const ofExpress = createServer(expressApp).listen(0, '127.0.0.1');
    const ofHono = serve({ fetch: honoApp.fetch, hostname: '127.0.0.1', port: 0 }) as Server;
    started.push(ofExpress, ofHono, server.listen(0, '127.0.0.1'));
    await Promise.all(started.map((each) => each.listening || once(each, 'listening')));
    await nestApp.listen(0, '127.0.0.1');
    return {
      express: `http://127.0.0.1:${portOf(ofExpress)}`,
      fastify: await fastifyApp.listen({ host: '127.0.0.1', port: 0 }),
      hono: `http://127.0.0.1:${portOf(ofHono)}`,
      nest: await nestApp.getUrl(),
    };
  };
  const ask = async (): Promise<Statuses> => {
    servers ??= await start();
    const status = async (url: string): Promise<number> => (await fetch(url)).status;
    return {
      express: await status(servers.express),
      fastify: await status(servers.fastify),
      hono: await status(servers.hono),
      nest: await status(servers.nest),
      upgrade: await upgradeStatus(portOf(server)),
    };
  };
  try {
    await run(
      { expressApp, fastifyApp, honoApp, nestApp, server, HttpException, handle, accept },
      ask,
    );
  } finally {
    for (const each of started) {
      each.closeAllConnections();
      each.close();
    }
    await fastifyApp.close();
    await nestApp.close();
  }
}
