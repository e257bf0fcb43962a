import { call, problemText } from './api.ts';
import { button, byId, el } from './dom.ts';
import type { Runbook } from './wire.ts';

/** Opens a runbook in a dialog. */
export async function openRunbook(id: string): Promise<void> {
  const answer = await call<Runbook>('GET', `/v1/runbooks/${id}`, { traced: false });
  if (answer.ok) show(answer.data.title, contents(answer.data));
  else show('The runbook is not available', [el('p', {}, problemText(answer.problem))]);
}

/** Opens, in the dialog of the runbooks, the code of the service that makes it survive a fault. */
export async function openCode(fault: string, title: string): Promise<void> {
  const code = await excerptsOf(fault).catch((error: unknown) => `${error}`);
  show(
    `Why the service survives: ${title}`,
    typeof code === 'string'
      ? [el('p', {}, code)]
      : code.map(({ file, code }) =>
          el('section', {}, el('h3', {}, file), el('pre', { tabindex: 0 }, code)),
        ),
  );
}

/** Excerpts of the sources of this service, from its build. */
async function excerptsOf(fault: string): Promise<readonly { file: string; code: string }[]> {
  const response = await fetch('/code.json');
  if (!response.ok) throw new Error(`The code is not available: status ${response.status}`);
  const all = (await response.json()) as Record<string, readonly { file: string; code: string }[]>;
  return all[fault] ?? [];
}

function show(title: string, contents: readonly HTMLElement[]): void {
  const dialog = byId<HTMLDialogElement>('runbook');
  const close = button('Close', { class: 'quiet' }, () => dialog.close());
  dialog.replaceChildren(
    el('div', { class: 'dialog-head' }, el('h2', { id: 'runbook-title' }, title), close),
    ...contents,
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
  const output = (title: string, text: string | undefined): readonly HTMLElement[] =>
    text === undefined ? [] : [el('span', { class: 'muted' }, title), el('pre', {}, text)];
  const steps = runbook.steps.map(({ action, expect, run, good, bad, references = [] }) =>
    el(
      'li',
      {},
      `${action}. `,
      expect === undefined ? undefined : el('span', { class: 'muted' }, expect),
      el('ul', { class: 'references' }, ...references.map((one) => el('li', {}, reference(one)))),
      ...(run === undefined ? [] : [el('pre', {}, run)]),
      ...output('Good:', good),
      ...output('Bad:', bad),
    ),
  );
  return [
    el('p', { class: 'lead' }, runbook.description),
    list('Symptoms', runbook.symptoms),
    el('section', {}, el('h3', {}, 'Setup'), el('pre', {}, runbook.setup)),
    el('section', {}, el('h3', {}, 'Steps'), el('ol', {}, ...steps)),
    list('Root causes', runbook.rootCauses),
    list('Prevention', runbook.prevention),
  ];
}

function reference(one: Readonly<Record<string, string>>): Node {
  const { kind, name, dashboard, panel } = one;
  if (kind === 'panel') return el('span', {}, `Dashboard ${dashboard}, panel “${panel}”`);
  return el('code', {}, name ?? '');
}
