import { call, problemText } from './api.ts';
import { button, byId, el, set, setText } from './dom.ts';
import { openCode } from './runbook.ts';
import type { FaultState } from './wire.ts';

const FIRST = 'registry-outage';

interface Row {
  readonly item: HTMLLIElement;
  readonly control: HTMLButtonElement;
  readonly about: HTMLElement;
}

/** The switches of the faults. */
export class FaultPanel {
  readonly #list = byId('faults');
  readonly #said = byId('faults-said');
  readonly #first = byId<HTMLButtonElement>('first-fault');
  readonly #rows = new Map<string, Row>();
  readonly #states = new Map<string, FaultState>();
  readonly #openRunbook: (id: string) => void;

  constructor(openRunbook: (id: string) => void) {
    this.#openRunbook = openRunbook;
    this.#first.addEventListener('click', () => void this.#switch(FIRST));
  }

  show(faults: readonly FaultState[]): void {
    for (const fault of faults) this.update(fault);
  }

  update(fault: FaultState): void {
    this.#states.set(fault.name, fault);
    const row = this.#rows.get(fault.name) ?? this.#add(fault);
    const { kind, on, result, about } = fault;
    if (kind === 'switch') set(row.control, { 'aria-checked': String(on) });
    else {
      setText(row.control, on ? 'Running' : 'Run');
      set(row.control, { 'aria-disabled': on ? 'true' : undefined });
    }
    setText(row.about, on || result === undefined ? about : `Last run: ${result}`);
    set(row.item, { 'data-on': String(on) });
    if (fault.name !== FIRST) return;
    this.#first.disabled = false;
    setText(this.#first, `Switch the registry outage ${on ? 'off' : 'on'}`);
    set(this.#first, { 'data-on': String(on) });
  }

  #add({ name, title, about, kind, runbook }: FaultState): Row {
    const id = `fault-${name}`;
    const control = button(
      kind === 'switch' ? '' : 'Run',
      {
        class: kind === 'switch' ? 'switch' : 'quiet run',
        'data-fault': name,
        'aria-labelledby': kind === 'switch' ? id : undefined,
        'aria-describedby': `${id}-about`,
        ...(kind === 'switch' ? { role: 'switch', 'aria-checked': 'false' } : {}),
      },
      () => void this.#switch(name),
    );
    if (kind === 'burst') set(control, { id: `${id}-run`, 'aria-labelledby': `${id}-run ${id}` });
    const words = el('p', { class: 'fault-about', id: `${id}-about` }, about);
    const book = button('Runbook', { class: 'link', 'aria-label': `Runbook for ${title}` }, () =>
      this.#openRunbook(runbook),
    );
    const code = button('Code', { class: 'link', 'aria-label': `Code for ${title}` }, () =>
      openCode(name, title),
    );
    const item = el(
      'li',
      { class: 'fault' },
      el('div', { class: 'fault-words' }, el('p', { class: 'fault-title', id }, title), words),
      el('div', { class: 'fault-act' }, control, el('p', { class: 'fault-links' }, code, book)),
    );
    this.#list.append(item);
    const row = { item, control, about: words };
    this.#rows.set(name, row);
    return row;
  }

  async #switch(name: string): Promise<void> {
    const state = this.#states.get(name);
    if (state === undefined) return;
    const { on, kind, title } = state;
    if (kind === 'burst' && on) return;
    const answer = await call<FaultState>('POST', '/v1/faults', {
      body: { name, on: !on },
      withToken: true,
    });
    if (!answer.ok) {
      setText(this.#said, `${title}: ${problemText(answer.problem)}`);
      return;
    }
    this.update(answer.data);
    const words = kind === 'burst' ? 'has started' : on ? 'is off' : 'is on';
    setText(this.#said, `${title} ${words}.`);
  }
}
