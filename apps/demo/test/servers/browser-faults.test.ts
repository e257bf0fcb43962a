import type { Page } from 'playwright-core';
import { describe, expect, it } from 'vitest';
import { FAULT_NAMES } from '../../src/faults/fault.ts';
import { expectAnswers, hasBrowser, openPage } from './browser-session.ts';

const circuit = (page: Page, state: string) =>
  page.locator(`[data-subsystem=registry][data-breaker=${state}]`);

const OF_THE_REGISTRY = ['registry-outage', 'registry-refused', 'slow-registry', 'flapping'];

describe.runIf(hasBrowser)('the fault switches of the page', { timeout: 360_000 }, () => {
  it.each(OF_THE_REGISTRY)(
    'the fault %s opens the circuit when it is switched on, and the circuit closes when it is switched off',
    async (name) => {
      const session = await openPage();
      const { page, errors } = session;
      const control = page.locator(`[data-fault=${name}]`);
      await page.locator('.counts li[data-some]').first().waitFor();
      await circuit(page, 'closed').waitFor();

      await control.click();
      await page.locator(`[data-fault=${name}][aria-checked=true]`).waitFor();
      await circuit(page, 'open').waitFor({ timeout: 120_000 });
      await page.locator('[data-alarm=breaker-registry_fetch]').waitFor();
      await expectAnswers(session);
      // Calls get degraded answers.
      const degraded = page.locator('[data-subsystem=registry] .counts li:nth-child(2)[data-some]');
      await degraded.waitFor({ timeout: 90_000 });

      await control.click();
      await page.locator(`[data-fault=${name}][aria-checked=false]`).waitFor();
      await circuit(page, 'closed').waitFor({ timeout: 90_000 });
      await page.locator('[data-alarm=breaker-registry_fetch]').waitFor({ state: 'detached' });
      await expectAnswers(session);
      expect(errors).toEqual([]);
    },
  );

  it('a page that was opened without the token shows the faults, and switches none', async () => {
    const { page, url, token } = await openPage();
    // The address has lost the token, which a reload still knows.
    expect(page.url()).toBe(`${url}/`);
    await page.reload();
    await page.locator('[data-fault=memory-leak]').waitFor();
    expect(await page.locator('#visitor').isVisible()).toBe(false);
    const visitor = await page.context().newPage();
    await visitor.goto(url);
    await visitor.locator('#visitor').waitFor();
    await visitor.locator('[data-fault=memory-leak]').click();
    await visitor.getByText('Changes require the token').waitFor();
    expect(await visitor.content()).not.toContain(token);
    const { faults } = (await (await fetch(`${url}/v1/faults`)).json()) as {
      faults: { on: boolean }[];
    };
    expect(faults.some(({ on }) => on)).toBe(false);
  });

  it('the fault lsp-crash marks the language server as down until it has restarted', async () => {
    const session = await openPage();
    const { page, errors } = session;
    const chip = page.locator('[data-subsystem=lsp] .chip');
    await chip.and(page.locator('[data-state=closed]')).waitFor();

    await page.locator('[data-fault=lsp-crash]').click();
    await chip.and(page.locator('[data-state=open]')).waitFor({ timeout: 90_000 });
    await page.locator('[data-alarm=lsp]').waitFor();
    await expectAnswers(session);

    await page.locator('[data-fault=lsp-crash]').click();
    await page.locator('[data-fault=lsp-crash][aria-checked=false]').waitFor();
    await chip.and(page.locator('[data-state=closed]')).waitFor({ timeout: 40_000 });
    expect(await page.locator('[data-subsystem=lsp] .rail').textContent()).toMatch(
      /[1-9]\d* restart/,
    );
    expect(errors).toEqual([]);
  });

  it('the fault audit-disk-full raises an alarm, and the audit chain verifies afterwards', async () => {
    const { page, errors } = await openPage();
    await page.locator('[data-fault=audit-disk-full]').click();
    await page.locator('[data-alarm=health-audit]').waitFor({ timeout: 90_000 });
    await page.locator('[data-alarm=health-audit] button').click();
    await page.locator('dialog[open] h2').waitFor();
    await page.keyboard.press('Escape');

    await page.locator('[data-fault=audit-disk-full]').click();
    await page.locator('[data-alarm=health-audit]').waitFor({ state: 'detached', timeout: 40_000 });
    await page.locator('#tab-audit').click();
    await page.locator('#verified[data-ok=true]').waitFor();
    expect(errors).toEqual([]);
  });

  it.each(['hostile-input', 'traffic-spike', 'abusive-client', 'shutdown'])(
    'the fault %s runs once and shows its result',
    async (name) => {
      const session = await openPage();
      const { page, errors } = session;
      const item = page.locator('.fault', { has: page.locator(`[data-fault=${name}]`) });
      await page.locator(`[data-fault=${name}]`).click();
      await page.locator(`[data-fault=${name}][aria-disabled=true]`).waitFor();
      await expectAnswers(session);
      await item.getByText(/^Last run: ./).waitFor({ timeout: 90_000 });
      await expectAnswers(session);
      expect(errors).toEqual([]);
    },
  );

  it('the page lists every fault', async () => {
    const { page } = await openPage();
    const offered = await page
      .locator('[data-fault]')
      .evaluateAll((all) => all.map((one) => one.getAttribute('data-fault')));
    expect(offered).toEqual([...FAULT_NAMES]);
  });
});
