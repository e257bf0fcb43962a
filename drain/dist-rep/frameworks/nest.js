var __decorate = (this && this.__decorate) || function (decorators, target, key, desc) {
    var c = arguments.length, r = c < 3 ? target : desc === null ? desc = Object.getOwnPropertyDescriptor(target, key) : desc, d;
    if (typeof Reflect === "object" && typeof Reflect.decorate === "function") r = Reflect.decorate(decorators, target, key, desc);
    else for (var i = decorators.length - 1; i >= 0; i--) if (d = decorators[i]) r = (c < 3 ? d(r) : c > 3 ? d(target, key, r) : d(target, key)) || r;
    return c > 3 && r && Object.defineProperty(target, key, r), r;
};
var __param = (this && this.__param) || function (paramIndex, decorator) {
    return function (target, key) { decorator(target, key, paramIndex); }
};
import 'reflect-metadata';
import { Readable } from 'node:stream';
import { Controller, Get, Header, HttpCode, Module, Post, Req, StreamableFile, } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { bytesOf, events, poll, work } from '../work.js';
let ServiceController = class ServiceController {
    work() {
        return work();
    }
    poll() {
        return poll();
    }
    events() {
        return new StreamableFile(Readable.from(events(), { objectMode: false }));
    }
    upload(request) {
        return bytesOf(request);
    }
};
__decorate([
    Get('work')
], ServiceController.prototype, "work", null);
__decorate([
    Get('poll')
], ServiceController.prototype, "poll", null);
__decorate([
    Get('events'),
    Header('content-type', 'text/event-stream')
], ServiceController.prototype, "events", null);
__decorate([
    Post('upload'),
    HttpCode(200),
    __param(0, Req())
], ServiceController.prototype, "upload", null);
ServiceController = __decorate([
    Controller()
], ServiceController);
let ServiceModule = class ServiceModule {
};
ServiceModule = __decorate([
    Module({ controllers: [ServiceController] })
], ServiceModule);
/** Nest on its Express platform, which does not speak HTTP/2. */
export const nest = async (transport, certificate) => {
    const options = transport === 'plain' ? {} : { httpsOptions: { ...certificate } };
    const app = await NestFactory.create(ServiceModule, { logger: false, ...options });
    await app.init();
    const server = app.getHttpServer();
    return {
        server,
        target: app,
        listen: () => new Promise((resolve) => server.listen(0, '127.0.0.1', 1024, resolve)),
        close: () => app.close(),
    };
};
//# sourceMappingURL=nest.js.map