// Writes screenshots of the built page to docs/screenshots.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const here = fileURLToPath(new URL('.', import.meta.url));
const out = join(here, '../../../docs/screenshots');
const executablePath = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium';
const dataDir = mkdtempSync(join(tmpdir(), 'temper-screenshots-'));

const service = spawn(
  process.execPath,
  [join(here, '../dist/main.js'), '--port', '18160', '--data-dir', dataDir],
  { stdio: ['ignore', 'inherit', 'pipe'], env: { ...process.env, OTEL_METRICS_EXPORTER: 'none' } },
);
const address = await new Promise((resolve, reject) => {
  let said = '';
  service.stderr.on('data', (chunk) => {
    said += chunk;
    const url = /page: +(http:\S+)/.exec(said)?.[1];
    if (url !== undefined) resolve(url);
  });
  service.once('exit', () => reject(new Error(said)));
});

mkdirSync(out, { recursive: true });
const browser = await chromium.launch({
  executablePath,
  args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'],
});
const open = async (options) => {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  await page.goto(address);
  await page.locator('#connection[data-state=live]').waitFor();
  return page;
};
const write = async (page, name, options = {}) => {
  const path = join(out, `${name}.png`);
  await page.screenshot({ path, ...options });
  const { size } = statSync(path);
  console.log(`${name}.png: ${Math.round(size / 1024)} KB`);
  if (size > 300 * 1024) throw new Error(`${name}.png is larger than 300 KB`);
};

try {
  const desktop = await open({ viewport: { width: 1280, height: 900 } });
  const dark = await open({ viewport: { width: 1280, height: 900 }, colorScheme: 'dark' });
  const phone = await open({
    viewport: { width: 360, height: 780 },
    deviceScaleFactor: 1,
    hasTouch: true,
  });
  await sleep(Number(process.env.WARM_UP_MS ?? 20_000));
  await write(desktop, 'calm');
  await desktop.locator('[data-fault=registry-outage]').click();
  await desktop.locator('[data-breaker=open]').waitFor();
  await desktop.mouse.move(0, 0);
  await sleep(6_500);
  await desktop.locator('[data-breaker=open]').waitFor();
  await write(desktop, 'desktop');
  await write(dark, 'dark');
  await write(phone, 'phone', { fullPage: true, clip: { x: 0, y: 0, width: 360, height: 2800 } });
  await desktop.locator('.alarm .link').first().click();
  await desktop.locator('dialog[open] ol').waitFor();
  await write(desktop, 'runbook');
  await desktop.keyboard.press('Escape');
  await desktop.locator('#first-fault').click();
  await desktop
    .locator('[data-breaker=open], [data-breaker=half-open]')
    .waitFor({ state: 'detached' });
  await desktop.locator('#run').click();
  await desktop.locator('#see-trace').waitFor();
  await desktop.locator('.more').scrollIntoViewIfNeeded();
  await write(desktop, 'program');
  await desktop.locator('#see-trace').click();
  await desktop.locator('.waterfall').waitFor();
  await sleep(500);
  await write(desktop, 'trace');
  for (const tab of ['scenarios', 'audit', 'health']) {
    await desktop.locator(`#tab-${tab}`).click();
    await sleep(1_000);
    await write(desktop, tab);
  }
} finally {
  await browser.close();
  service.kill('SIGTERM');
  await new Promise((resolve) => service.once('exit', resolve));
  rmSync(dataDir, { recursive: true, force: true });
}
