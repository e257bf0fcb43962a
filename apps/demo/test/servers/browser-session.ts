import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { expect, onTestFinished } from 'vitest';
import { type DemoProcess, runDemo, until } from './demo-process.ts';

const CHROMIUM = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';

/** Without a browser the suites are skipped with a notice; under CI they fail. */
export const hasBrowser: boolean = existsSync(CHROMIUM) || process.env.CI === 'true';
if (!hasBrowser) process.stderr.write(`No browser at ${CHROMIUM}: browser tests are skipped.\n`);

const ARGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--no-first-run',
];

interface Session {
  readonly page: Page;
  readonly url: string;
  readonly token: string;
  readonly demo: DemoProcess;
  /** Console errors and uncaught errors. */
  readonly errors: readonly string[];
  /** URLs that the page requested. */
  readonly requested: readonly string[];
  /** Transferred bytes by URL. */
  readonly weights: ReadonlyMap<string, number>;
  /** Opens another page with other browser options on the same service. */
  readonly another: (options: BrowserContextOptions) => Promise<Page>;
}

/** Starts the service as `npm start` does and opens its page; both end with the test. */
export async function openPage(
  options: BrowserContextOptions = {},
  env: Readonly<Record<string, string>> = {},
): Promise<Session> {
  const dataDir = mkdtempSync(join(tmpdir(), 'parsercraft-page-'));
  onTestFinished(() => rmSync(dataDir, { recursive: true, force: true }));
  const demo = await runDemo(['--port=0', `--data-dir=${dataDir}`], env);
  await until(() => /^token: /m.test(demo.stderr()), 30_000, 'the service');
  const url = /^ParserCraft: (\S+)/m.exec(demo.stderr())?.[1] as string;
  const token = /^token: +(\S+)/m.exec(demo.stderr())?.[1] as string;
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ARGS });
  onTestFinished(() => browser.close());
  const errors: string[] = [];
  const requested: string[] = [];
  const weights = new Map<string, number>();
  const another = async (contextOptions: BrowserContextOptions): Promise<Page> => {
    const context = await browser.newContext({
      viewport: { width: 1280, height: 900 },
      ...contextOptions,
    });
    const page = await context.newPage();
    page.on('console', (message) => {
      if (message.type() === 'error') errors.push(`${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('request', (request) => requested.push(request.url()));
    page.on('requestfinished', async (request) => {
      const { responseBodySize, responseHeadersSize } = await request.sizes().catch(() => ({
        responseBodySize: 0,
        responseHeadersSize: 0,
      }));
      weights.set(request.url(), responseBodySize + responseHeadersSize);
    });
    await page.goto(`${url}/#token=${token}`);
    await page.locator('#connection[data-state=live]').waitFor();
    await page.locator('[data-fault=registry-outage]').waitFor();
    return page;
  };
  const page = await another(options);
  return { page, url, token, demo, errors, requested, weights, another };
}

/**
 * Checks from outside the browser that the service runs a program. With the token, since requests
 * without it share the limit of this address with the client that the traffic spike simulates.
 */
export async function expectAnswers({ url, token }: Session): Promise<void> {
  const response = await fetch(`${url}/v1/run`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
    body: JSON.stringify({ source: 'print(6 * 7)' }),
  });
  expect(await response.json()).toMatchObject({ output: '42\n', exitCode: 0 });
}
