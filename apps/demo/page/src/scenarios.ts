import { call, problemText } from './api.ts';
import { button, byId, el, set, setText } from './dom.ts';
import type { ScenarioNews, ScenarioResult, ScenarioView } from './wire.ts';

interface Row {
  readonly view: ScenarioView;
  readonly item: HTMLElement;
  readonly run: HTMLButtonElement;
  readonly said: HTMLElement;
  readonly phases: readonly HTMLLIElement[];
  readonly promises: readonly HTMLLIElement[];
}

/** The scenarios with their promises. */
export class ScenarioPanel {
  readonly #panel = byId('panel-scenarios');
  readonly #rows = new Map<string, Row>();
  #running: string | undefined;

  async load(): Promise<void> {
    const answer = await call<{
      readonly scenarios: readonly ScenarioView[];
      readonly running?: { readonly name: string; readonly phaseIndex: number };
    }>('GET', '/v1/scenarios', { traced: false });
    if (!answer.ok) return;
    this.#rows.clear();
    this.#panel.replaceChildren(
      el(
        'p',
        { class: 'scenarios-lead' },
        'A scenario switches faults on and off under its own load, measures, and checks its promises.',
      ),
      ...answer.data.scenarios.map((view) => this.#add(view)),
    );
    const { running } = answer.data;
    this.#running = running?.name;
    if (running !== undefined) this.#phase(running.name, running.phaseIndex);
    this.#lock();
  }

  news(news: ScenarioNews): void {
    if (news.kind === 'phase') {
      this.#running = news.scenario;
      this.#phase(news.scenario, news.index);
    } else {
      this.#running = undefined;
      if (news.kind === 'result') this.#result(news.result);
      else {
        const row = this.#rows.get(news.scenario);
        if (row !== undefined) setText(row.said, `The scenario failed: ${news.message}`);
      }
    }
    this.#lock();
  }

  #add(view: ScenarioView): HTMLElement {
    const { name, title, about, phases, promises, result } = view;
    const seconds = phases.reduce((sum, phase) => sum + phase.seconds, 0);
    const id = `scenario-${name}`;
    const run = button(
      'Run',
      { class: 'quiet', id: `${id}-run`, 'aria-labelledby': `${id}-run ${id}` },
      () => void this.#run(name),
    );
    const row: Row = {
      view,
      run,
      item: el('article', { class: 'scenario', 'data-scenario': name, 'aria-labelledby': id }),
      said: el('p', { class: 'said', role: 'status' }),
      phases: phases.map((phase) => el('li', { title: phase.about }, phase.name)),
      promises: promises.map((promise) =>
        el(
          'li',
          {},
          el('span', { class: 'tick', 'aria-hidden': 'true' }, '·'),
          el('span', {}, promise),
        ),
      ),
    };
    row.item.append(
      el(
        'div',
        { class: 'scenario-head' },
        el('h3', { id }, title),
        el('span', { class: 'muted' }, `${seconds} s`),
        run,
      ),
      el('p', {}, about),
      el('ol', { class: 'phases', 'aria-label': 'Phases' }, ...row.phases),
      row.said,
      el(
        'details',
        {},
        el('summary', {}, `${promises.length} promises`),
        el('ul', { class: 'promises' }, ...row.promises),
      ),
    );
    this.#rows.set(name, row);
    if (result !== undefined) this.#result(result);
    return row.item;
  }

  async #run(name: string): Promise<void> {
    if (this.#running !== undefined) return;
    const row = this.#rows.get(name);
    if (row === undefined) return;
    for (const promise of row.promises) mark(promise, '·', '');
    for (const phase of row.phases) set(phase, { 'data-at': undefined });
    const details = row.item.querySelector('details');
    if (details !== null) details.open = true;
    const answer = await call('POST', `/v1/scenarios/${name}`, { withToken: true });
    setText(row.said, answer.ok ? 'The scenario is running.' : problemText(answer.problem));
  }

  #phase(name: string, index: number): void {
    const row = this.#rows.get(name);
    if (row === undefined) return;
    for (const [at, phase] of row.phases.entries()) {
      set(phase, { 'data-at': at < index ? 'past' : at === index ? 'now' : undefined });
      set(phase, { 'aria-current': at === index ? 'step' : undefined });
    }
    setText(row.said, row.view.phases[index]?.about ?? 'The scenario is running.');
  }

  #result({ scenario, ok, promises }: ScenarioResult): void {
    const row = this.#rows.get(scenario);
    if (row === undefined) return;
    for (const phase of row.phases) set(phase, { 'data-at': 'past', 'aria-current': undefined });
    let wait = 0;
    for (const [index, { held, shown }] of promises.entries()) {
      const item = row.promises[index];
      if (item === undefined) continue;
      setTimeout(() => mark(item, held ? '✓' : '✗', held ? 'kept' : 'broken', shown), wait);
      wait += 120;
    }
    const kept = promises.filter(({ held }) => held).length;
    setText(
      row.said,
      ok ? `All ${kept} promises were kept.` : `${kept} of ${promises.length} promises were kept.`,
    );
  }

  #lock(): void {
    set(document.body, { 'data-scenario-runs': this.#running });
    for (const { run } of this.#rows.values()) {
      set(run, { 'aria-disabled': this.#running === undefined ? undefined : 'true' });
    }
  }
}

function mark(item: HTMLLIElement, sign: string, state: string, shown = ''): void {
  const [tick, words] = item.children;
  if (tick === undefined || words === undefined) return;
  setText(tick, sign);
  set(item, { 'data-state': state === '' ? undefined : state });
  item.querySelector('.shown')?.remove();
  if (shown !== '') item.append(el('span', { class: 'shown' }, `${state}: ${shown}`));
}
