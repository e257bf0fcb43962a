import 'reflect-metadata';
import { Readable } from 'node:stream';
import {
  Controller,
  Get,
  Header,
  HttpCode,
  Module,
  Post,
  Req,
  StreamableFile,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { Request } from 'express';
import { bytesOf, events, poll, work } from '../work.ts';
import type { Framework, Server } from './app.ts';

@Controller()
class ServiceController {
  @Get('work')
  work(): Promise<string> {
    return work();
  }

  @Get('poll')
  poll(): Promise<string> {
    return poll();
  }

  @Get('events')
  @Header('content-type', 'text/event-stream')
  events(): StreamableFile {
    return new StreamableFile(Readable.from(events(), { objectMode: false }));
  }

  @Post('upload')
  @HttpCode(200)
  upload(@Req() request: Request): Promise<string> {
    return bytesOf(request);
  }
}

@Module({ controllers: [ServiceController] })
class ServiceModule {}

/** Nest on its Express platform, which does not speak HTTP/2. */
export const nest: Framework = async (transport, certificate) => {
  const options = transport === 'plain' ? {} : { httpsOptions: { ...certificate } };
  const app = await NestFactory.create(ServiceModule, { logger: false, ...options });
  await app.init();
  const server = app.getHttpServer() as Server;
  return {
    server,
    target: app,
    listen: () => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', 1024, resolve)),
    close: () => app.close(),
  };
};
