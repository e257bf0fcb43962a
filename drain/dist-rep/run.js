var __addDisposableResource = (this && this.__addDisposableResource) || function (env, value, async) {
    if (value !== null && value !== void 0) {
        if (typeof value !== "object" && typeof value !== "function") throw new TypeError("Object expected.");
        var dispose, inner;
        if (async) {
            if (!Symbol.asyncDispose) throw new TypeError("Symbol.asyncDispose is not defined.");
            dispose = value[Symbol.asyncDispose];
        }
        if (dispose === void 0) {
            if (!Symbol.dispose) throw new TypeError("Symbol.dispose is not defined.");
            dispose = value[Symbol.dispose];
            if (async) inner = dispose;
        }
        if (typeof dispose !== "function") throw new TypeError("Object not disposable.");
        if (inner) dispose = function() { try { inner.call(this); } catch (e) { return Promise.reject(e); } };
        env.stack.push({ value: value, dispose: dispose, async: async });
    }
    else if (async) {
        env.stack.push({ async: true });
    }
    return value;
};
var __disposeResources = (this && this.__disposeResources) || (function (SuppressedError) {
    return function (env) {
        function fail(e) {
            env.error = env.hasError ? new SuppressedError(e, env.error, "An error was suppressed during disposal.") : e;
            env.hasError = true;
        }
        var r, s = 0;
        function next() {
            while (r = env.stack.pop()) {
                try {
                    if (!r.async && s === 1) return s = 0, env.stack.push(r), Promise.resolve().then(next);
                    if (r.dispose) {
                        var result = r.dispose.call(r.value);
                        if (r.async) return s |= 2, Promise.resolve(result).then(next, function(e) { fail(e); return next(); });
                    }
                    else s |= 1;
                }
                catch (e) {
                    fail(e);
                }
            }
            if (s === 1) return env.hasError ? Promise.reject(env.error) : Promise.resolve();
            if (env.hasError) throw env.error;
        }
        return next();
    };
})(typeof SuppressedError === "function" ? SuppressedError : function (error, suppressed, message) {
    var e = new Error(message);
    return e.name = "SuppressedError", e.error = error, e.suppressed = suppressed, e;
});
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { accountFile, judge } from './account.js';
import { now } from './client/line.js';
import { Tally } from './client/tally.js';
import { PROTOCOLS, ROWS } from './protocols.js';
import { LIMIT_MS } from './tools.js';
/** Time from SIGTERM to SIGKILL, in milliseconds. */
const KILL_MS = LIMIT_MS + 3000;
const SERVICE = fileURLToPath(new URL('../dist/service.js', import.meta.url));
/** Starts a service and 240 clients, and sends it SIGTERM at a random moment. */
export async function run(cell, whenTold) {
    const env_1 = { stack: [], error: void 0, hasError: false };
    try {
        const row = ROWS[cell.row];
        if (row === undefined)
            throw new Error(`no row ${cell.row}`);
        const protocol = PROTOCOLS[cell.protocol];
        const transport = row.fallback ? 'h2' : protocol.transport;
        const account = __addDisposableResource(env_1, accountFile(), false);
        const service = spawn(process.execPath, [SERVICE], {
            env: {
                ...process.env,
                NODE_ENV: 'production',
                FRAMEWORK: row.framework,
                TRANSPORT: transport,
                TOOL: cell.tool,
                ACCOUNT: account.path,
            },
            stdio: ['ignore', 'pipe', 'pipe'],
        });
        let said = '';
        service.stderr.on('data', (data) => {
            said += data;
        });
        const ended = once(service, 'exit');
        try {
            const port = await portOf(service.stdout, ended, () => said);
            const tally = new Tally();
            const load = protocol.load({ port, tally, workers: 240, whenTold }, transport !== 'plain');
            // Every client has connected.
            while (tally.answered < 240 || tally.inFlight < 190)
                await sleep(2);
            await sleep(Math.random() * 300);
            // A random moment, but not one in which the machine has kept the clients from sending.
            while (tally.inFlight < 190)
                await sleep(1);
            const { inFlight } = tally;
            const toldAt = now();
            service.kill('SIGTERM');
            const killing = setTimeout(() => service.kill('SIGKILL'), KILL_MS);
            const [code, signal] = await ended;
            clearTimeout(killing);
            const endedMs = Math.round(now() - toldAt);
            load.stop();
            await load.done;
            const reasons = {};
            const { lost, resetByKernel } = judge(tally.lost, account.read(), toldAt);
            for (const { reason } of lost)
                reasons[reason] = (reasons[reason] ?? 0) + 1;
            const losses = lost.map(({ line }) => line);
            const { sent, refused } = tally;
            const end = String(code ?? signal);
            const counts = { sent, lost: lost.length, reasons, losses, resetByKernel };
            return { ...counts, refused, inFlight, endedMs, end };
        }
        finally {
            service.kill('SIGKILL');
        }
    }
    catch (e_1) {
        env_1.error = e_1;
        env_1.hasError = true;
    }
    finally {
        __disposeResources(env_1);
    }
}
async function portOf(output, ended, errors) {
    let text = '';
    const found = new Promise((resolve) => {
        output.on('data', (data) => {
            text += data;
            const port = /listening (\d+)/.exec(text)?.[1];
            if (port !== undefined)
                resolve(Number(port));
        });
    });
    const port = await Promise.race([found, ended]);
    if (typeof port === 'number')
        return port;
    throw new Error(`The service did not start: ${errors()}`);
}
//# sourceMappingURL=run.js.map