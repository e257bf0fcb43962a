import { call, problemText } from './api.ts';
import { button, byId, el } from './dom.ts';
import type { Runbook } from './wire.ts';

/** Opens a runbook in a dialog. */
export async function openRunbook(id: string): Promise<void> {
  const dialog = byId<HTMLDialogElement>('runbook');
  const answer = await call<Runbook>('GET', `/v1/runbooks/${id}`, { traced: false });
  const close = button('Close', { class: 'quiet' }, () => dialog.close());
  const title = answer.ok ? answer.data.title : 'The runbook is not available';
  dialog.replaceChildren(
    el('div', { class: 'dialog-head' }, el('h2', { id: 'runbook-title' }, title), close),
    ...(answer.ok ? contents(answer.data) : [el('p', {}, problemText(answer.problem))]),
  );
  if (!dialog.open) dialog.showModal();
  dialog.scrollTop = 0;
  close.focus();
}

/** Closes the dialog on a click outside it. */
export function closeRunbookFromOutside(): void {
  const dialog = byId<HTMLDialogElement>('runbook');
  dialog.addEventListener('click', (event) => {
    if (event.target === dialog) dialog.close();
  });
}

function contents(runbook: Runbook): readonly HTMLElement[] {
  const list = (title: string, lines: readonly string[]): HTMLElement =>
    el(
      'section',
      {},
      el('h3', {}, title),
      el('ul', {}, ...lines.map((line) => el('li', {}, line))),
    );
  const steps = runbook.steps.map(({ action, expect, references = [] }) =>
    el(
      'li',
      {},
      `${action}. `,
      expect === undefined ? undefined : el('span', { class: 'muted' }, expect),
      el('ul', { class: 'references' }, ...references.map((one) => el('li', {}, reference(one)))),
    ),
  );
  return [
    el('p', { class: 'lead' }, runbook.description),
    list('Symptoms', runbook.symptoms),
    el('section', {}, el('h3', {}, 'Steps'), el('ol', {}, ...steps)),
    list('Root causes', runbook.rootCauses),
    list('Prevention', runbook.prevention),
  ];
}

function reference(one: Readonly<Record<string, string>>): Node {
  const { kind, method, path, query, name, dashboard, panel, command } = one;
  if (kind === 'endpoint' && path !== undefined) {
    const plain = method === 'GET' && !path.includes(':') && !path.includes('{');
    return plain
      ? el('a', { href: path, target: '_blank' }, `${method} ${path}`)
      : el('code', {}, `${method} ${path}`);
  }
  if (kind === 'panel') return el('span', {}, `Dashboard ${dashboard}, panel “${panel}”`);
  return el('code', {}, command ?? query ?? name ?? '');
}
