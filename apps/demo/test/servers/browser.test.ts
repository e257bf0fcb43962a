import { get } from 'node:http';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { hasBrowser, openPage } from './browser-session.ts';
import { until } from './demo-process.ts';
import { otlpReceiver } from './otlp-receiver.ts';

const WEIGHT_LIMIT = 150 * 1_024;
const TABS = ['program', 'scenarios', 'traces', 'audit', 'tuning', 'health'];

async function violations(page: Page): Promise<readonly string[]> {
  await page.evaluate(axe.source);
  const found = await page.evaluate(
    'axe.run(document, { resultTypes: ["violations"] }).then(({ violations }) => violations)',
  );
  return (found as axe.Result[]).flatMap(({ id, nodes }) =>
    nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 120)} ${failureSummary}`),
  );
}

/** Presses a key until an element matching the selector has the focus. */
async function keyUntilFocus(page: Page, key: string, selector: string): Promise<void> {
  for (let pressed = 0; pressed < 80; pressed += 1) {
    await page.keyboard.press(key);
    const there = await page.evaluate(
      `document.activeElement?.matches(${JSON.stringify(selector)}) ?? false`,
    );
    if (there) return;
  }
  throw new Error(`${selector} was not reached by pressing ${key} 80 times.`);
}

describe.runIf(hasBrowser)('the page', { timeout: 360_000 }, () => {
  it('loads less than 150 KB, only from the service, and shows live calls', async () => {
    const { page, url, errors, requested, weights } = await openPage();
    await page.locator('.dot').first().waitFor({ state: 'attached' });
    await page.locator('.counts li[data-some]').first().waitFor();
    await page.locator('#goodput canvas').waitFor();
    await until(
      async () =>
        (await page.locator('#now').textContent())?.startsWith('All four subsystems') === true,
      30_000,
      'the status of normal operation',
    );
    expect(requested.filter((address) => !address.startsWith(`${url}/`))).toEqual([]);
    // The event stream and API responses do not count as page weight.
    const assets = [...weights].filter(([address]) => !address.includes('/v1/'));
    expect(assets.length).toBeGreaterThan(20);
    const total = assets.reduce((sum, [, weight]) => sum + weight, 0);
    process.stderr.write(`weight of the page: ${total} bytes in ${assets.length} answers\n`);
    expect(total).toBeGreaterThan(20_000);
    expect(total).toBeLessThan(WEIGHT_LIMIT);
    expect(errors).toEqual([]);
  });

  it('has no axe violations in light and dark mode and at a width of 360 pixels', async () => {
    const { page, another, errors } = await openPage({ colorScheme: 'light' });
    const dark = await another({ colorScheme: 'dark' });
    const phone = await another({ viewport: { width: 360, height: 740 } });
    // Covers alarms, active switches and degraded answers.
    await page.locator('#first-fault').click();
    for (const one of [page, dark, phone]) {
      await one.locator('[data-alarm=breaker-registry_fetch]').waitFor({ timeout: 90_000 });
      for (const tab of TABS) {
        await one.locator(`#tab-${tab}`).click();
        await one.locator(`#panel-${tab} > *`).first().waitFor();
        expect(await violations(one), tab).toEqual([]);
      }
      await one.locator('.fault .link', { hasText: 'Runbook' }).first().click();
      await one.locator('dialog[open] ol').waitFor();
      expect(await violations(one), 'runbook').toEqual([]);
      await one.keyboard.press('Escape');
      await one.locator('.fault .link', { hasText: 'Code' }).first().click();
      await one.locator('dialog[open] pre', { hasText: "...guards('fetch_package')," }).waitFor();
      expect(await violations(one), 'code').toEqual([]);
      const sideways = await one.evaluate(
        'document.documentElement.scrollWidth - document.documentElement.clientWidth',
      );
      expect(sideways).toBe(0);
      await one.keyboard.press('Escape');
    }
    expect(errors).toEqual([]);
  });

  it('can be operated with the keyboard only', async () => {
    const { page, errors } = await openPage();
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement?.className')).toBe('skip');
    await page.keyboard.press('Enter');
    await keyUntilFocus(page, 'Tab', '[data-fault=registry-refused]');
    await page.keyboard.press('Space');
    await page.locator('[data-fault=registry-refused][aria-checked=true]').waitFor();
    await page.locator('[data-subsystem=registry][data-breaker=open]').waitFor({ timeout: 90_000 });
    // The focus stays on the switch, so the same key switches it off.
    await page.keyboard.press('Space');
    await page.locator('[data-fault=registry-refused][aria-checked=false]').waitFor();
    await keyUntilFocus(page, 'Tab', '.fault .link');
    await page.keyboard.press('Enter');
    await page.locator('dialog[open] h2').waitFor();
    await page.keyboard.press('Escape');
    expect(await page.evaluate('document.activeElement?.matches(".fault .link")')).toBe(true);
    await keyUntilFocus(page, 'Tab', '#tab-program');
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('#panel-scenarios').isVisible()).toBe(true);
    await page.keyboard.press('End');
    expect(await page.locator('#panel-health').isVisible()).toBe(true);
    expect(errors).toEqual([]);
  });

  it('shows no animation with prefers-reduced-motion and still counts calls', async () => {
    const { page } = await openPage({ reducedMotion: 'reduce' });
    const count = page.locator('[data-subsystem=ast] .counts li:first-child .count-value');
    await until(async () => Number(await count.textContent()) > 3, 20_000, 'a count');
    expect(await page.locator('.dot').count()).toBe(0);
  });

  it('shows errors of a program, compiles it to C and runs it in each language', async () => {
    const { page, errors } = await openPage();
    const source = page.locator('#source');
    await source.fill('let x = ');
    await page.locator('#diagnostics button').first().waitFor();
    expect(await page.locator('#diagnostics').textContent()).toContain('1:8 expected a value');
    for (const [language, line] of [
      ['algol', '2 ^ 10 = 1024'],
      ['escuela', 'fib 10 55'],
      ['core', 'gcd of 84 and 36: 12'],
    ] as const) {
      await page.locator('#language').selectOption(language);
      await page.locator('#checked', { hasText: 'No errors.' }).waitFor();
      await page.locator('#compile').click();
      await page.locator('#output', { hasText: 'int main(' }).waitFor();
      await page.locator('#run').click();
      await page.locator('#output', { hasText: line }).waitFor();
      expect(await page.locator('#outcome').textContent()).toContain('Exit code 0');
    }
    await source.fill('print("<img src=x onerror=alert(1)>")');
    await page.locator('#run').click();
    await page.locator('#output', { hasText: '<img src=x' }).waitFor();
    expect(await page.locator('img').count()).toBe(0);
    expect(errors).toEqual([]);
  });

  it('says how long a program may be, runs it with Ctrl+Enter and refuses 10 000 pasted lines', async () => {
    const { page, errors } = await openPage();
    const hint = page.locator('#source-hint');
    await page.locator('#source').fill('print(1 + 1)');
    await hint
      .filter({ hasText: '12 of at most 32,768 characters, in at most 1,000 lines' })
      .waitFor();
    await page.locator('#source').press('Control+Enter');
    await page.locator('#output', { hasText: '2' }).waitFor();
    expect(await page.locator('#source').inputValue()).toBe('print(1 + 1)');
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    // Replaces the program, and returns the longest time in which the page stood still, in milliseconds.
    const paste = async (line: string, lines: number, hint: string): Promise<number> => {
      await page.evaluate(
        `navigator.clipboard.writeText(${JSON.stringify(line)}.repeat(${lines}))`,
      );
      await page.evaluate(`(() => {
        longest = 0;
        let last = performance.now();
        clearInterval(globalThis.watch);
        watch = setInterval(() => {
          longest = Math.max(longest, performance.now() - last);
          last = performance.now();
        }, 10);
      })()`);
      await page.locator('#source').press('Control+A');
      await page.keyboard.press('Control+V');
      await page.locator('#checked', { hasText: hint }).waitFor();
      return (await page.evaluate('longest')) as number;
    };
    const program = await page.locator('#source').inputValue();
    expect(await paste('a = ;\n', 10_000, '10,001 lines, 60,000 characters')).toBeLessThan(2_000);
    expect(await page.locator('#source').inputValue()).toBe(program);
    expect(await paste('a', 40_000, '1 line, 40,000 characters')).toBeLessThan(2_000);
    expect(await page.locator('#source').inputValue()).toBe(program);
    // As many errors as there is room for.
    expect(await paste('print(zz)\n', 999, 'The first 50 are listed.')).toBeLessThan(2_000);
    expect(await page.locator('#diagnostics li').count()).toBe(50);
    expect(errors).toEqual([]);
  });

  it('shows what the rate limit of the clients turned away, apart from failures', async () => {
    const { page, url, errors } = await openPage();
    // Another client than the page, whose own requests must not be refused.
    const ask = () =>
      new Promise<number | undefined>((resolve, reject) => {
        get(`${url}/v1/policies`, { localAddress: '127.0.0.2' }, (answer) => {
          answer.resume().on('end', () => resolve(answer.statusCode));
        }).on('error', reject);
      });
    const statuses = await Promise.all(Array.from({ length: 400 }, ask));
    const refused = statuses.filter((status) => status === 429).length;
    expect(refused).toBeGreaterThan(200);
    const figure = page.locator('#figures div', { hasText: 'turned away' }).locator('dd');
    await until(async () => Number(await figure.textContent()) >= refused, 10_000, 'the figure');
    expect(Number(await figure.textContent())).toBe(refused);
    const failed = page.locator('#goodput-legend li', { hasText: 'failed' });
    expect(await failed.locator('.legend-value').textContent()).toBe('0');
    expect(errors).toEqual([]);
  });

  it('runs a scenario, keeps the picture in view and marks its promises as kept', async () => {
    const { page, another, errors } = await openPage();
    const phone = await another({ viewport: { width: 360, height: 740 } });
    for (const one of [page, phone]) await one.locator('#tab-scenarios').click();
    await page.locator('#scenario-registry-outage-run').click();
    const row = page.locator('[data-scenario=registry-outage]');
    await row.locator('.phases [data-at=now]').waitFor({ timeout: 90_000 });
    for (const one of [page, phone]) {
      await one.locator('[data-scenario=registry-outage] .phases [data-at=now]').waitFor();
      await one.locator('[data-scenario=traffic-spike]').scrollIntoViewIfNeeded();
      const { y, height } = (await one.locator('.flow').boundingBox()) as {
        readonly y: number;
        readonly height: number;
      };
      expect(y).toBeGreaterThanOrEqual(0);
      // The other half is for the scenario.
      expect(y + height).toBeLessThan((one.viewportSize()?.height ?? 0) / 2);
    }
    await row.locator('.promises li:last-child[data-state]').waitFor({ timeout: 120_000 });
    expect(await row.locator('.promises [data-state=kept]').count()).toBe(
      await row.locator('.promises li').count(),
    );
    expect(errors).toEqual([]);
  });

  it('shows what is proposed for the circuit after eight incidents, with the evidence', async () => {
    const { page, errors } = await openPage();
    await page.locator('#tab-tuning').click();
    const circuit = page.locator('[data-setting=openDurationMs]');
    await circuit.filter({ hasText: '0 of 8 incidents' }).waitFor();
    const answers = page.locator('[data-setting=attemptTimeoutMs][data-tuning=waiting]');
    await answers.filter({ hasText: /[1-9]\d* of 5000 answers/ }).waitFor({ timeout: 60_000 });
    const registry = (state: string) =>
      page.locator(`[data-subsystem=registry][data-breaker=${state}]`).waitFor({ timeout: 60_000 });
    const refused = page.locator('[data-fault=registry-refused]');
    for (let incident = 0; incident < 8; incident++) {
      await refused.click();
      await registry('open');
      await refused.click();
      await registry('closed');
    }
    await circuit.filter({ hasText: /incidents \d+ · firstTrial \d+ · openings \d+/ }).waitFor();
    expect(await circuit.getAttribute('data-tuning')).toBe('proposal');
    expect(await circuit.textContent()).toContain('3000 → 2000');
    expect(errors).toEqual([]);
  });

  it.each<[string, NodeJS.Signals]>([
    ['exits', 'SIGTERM'],
    ['is killed', 'SIGKILL'],
    ['has stopped and ends no connection', 'SIGSTOP'],
  ])('shows nothing of before as if it held now when the service %s', async (_, signal) => {
    const { page, demo, errors } = await openPage();
    await page.locator('#tab-health').click();
    await page.locator('#panel-health .check').first().waitFor();
    demo.child.kill(signal);
    await page.locator('#connection[data-state=lost]').waitFor();
    await page.locator('#now', { hasText: 'not reachable' }).waitFor();
    expect(await page.locator('.lane .chip').allTextContents()).toEqual(Array(4).fill('unknown'));
    expect(await page.locator('#figures dd').allTextContents()).toEqual(Array(4).fill('–'));
    expect(await page.locator('#figures [data-good]').count()).toBe(0);
    expect(await page.locator('.counts .count-value').allTextContents()).toEqual(
      Array(16).fill('–'),
    );
    const unknown = 'Not known while the service is away.';
    expect(await page.locator('#no-alarm').textContent()).toBe(unknown);
    expect(await page.locator('#panel-health').textContent()).toBe(unknown);
    await page.locator('#faults[data-unknown]').waitFor();
    if (signal !== 'SIGSTOP') return;

    demo.child.kill('SIGCONT');
    await page.locator('#connection[data-state=live]').waitFor();
    await page.locator('.lane .chip', { hasText: 'unknown' }).waitFor({ state: 'detached' });
    await page.locator('#panel-health .check').first().waitFor();
    expect(await page.locator('#faults[data-unknown]').count()).toBe(0);
    expect(errors).toEqual([]);
  });

  it('starts a trace that contains its request, the service, the policies and the registry', async () => {
    const receiver = await otlpReceiver();
    const { page, errors } = await openPage(
      {},
      { ...receiver.env, PARSERCRAFT_JAEGER_URL: 'http://127.0.0.1:16686/' },
    );
    const request = page.waitForRequest((one) => one.url().endsWith('/v1/run'));
    await page.locator('#run').click();
    const traceparent = (await request).headers().traceparent ?? '';
    const [, traceId, browserSpan] = traceparent.split('-');
    const spans = () => receiver.spans.filter((span) => span.traceId === traceId);
    const serverSpan = () => spans().find(({ parentSpanId }) => parentSpanId === browserSpan);
    // The server span ends last, so it may be exported after the spans of both services.
    await until(
      () => serverSpan() !== undefined && new Set(spans().map(({ service }) => service)).size === 2,
      20_000,
      'the spans of both services',
    );

    const server = serverSpan();
    expect(server?.name).toBe('POST /v1/run');
    const ids = new Map(spans().map((span) => [span.spanId, span]));
    const retry = spans().find(({ name }) => name === 'retry fetch_package');
    expect(retry?.parentSpanId).toBe(server?.spanId);
    const atRegistry = spans().find(({ service }) => service !== server?.service);
    const way: string[] = [];
    for (let at = atRegistry; at !== undefined; at = ids.get(at.parentSpanId)) way.push(at.name);
    expect(way).toContain('breaker registry_fetch');
    expect(way.at(-1)).toBe('POST /v1/run');

    await page.locator('#see-trace').click();
    const waterfall = page.locator('.waterfall', { hasText: 'browser: POST /v1/run' });
    await waterfall.waitFor();
    expect(await waterfall.textContent()).toContain('breaker registry_fetch');
    const link = page.locator('#trace-detail a', { hasText: 'Jaeger' });
    expect(await link.getAttribute('href')).toBe(`http://127.0.0.1:16686/trace/${traceId}`);
    expect(errors).toEqual([]);
  });
});
