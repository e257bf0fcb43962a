import { byId, set } from './dom.ts';

/** Tabs as in the ARIA Authoring Practices: arrow keys move, and only the selected tab is in tab order. */
export class Tabs {
  readonly #tabs: readonly HTMLButtonElement[];
  readonly #shown: (name: string) => void;

  constructor(shown: (name: string) => void) {
    this.#shown = shown;
    this.#tabs = [...byId('tabs').querySelectorAll<HTMLButtonElement>('[role=tab]')];
    for (const [index, tab] of this.#tabs.entries()) {
      tab.addEventListener('click', () => this.#choose(tab));
      tab.addEventListener('keydown', (event) => {
        const to = { ArrowRight: index + 1, ArrowLeft: index - 1, Home: 0, End: -1 }[event.key];
        if (to === undefined) return;
        event.preventDefault();
        const next = this.#tabs.at(to % this.#tabs.length) as HTMLButtonElement;
        next.focus();
        this.#choose(next);
      });
    }
    this.#choose(this.#tabs[0] as HTMLButtonElement);
  }

  /** Selects a tab by name and focuses it. */
  open(name: string): void {
    const tab = byId<HTMLButtonElement>(`tab-${name}`);
    this.#choose(tab);
    tab.focus();
  }

  get chosen(): string {
    const tab = this.#tabs.find((one) => one.getAttribute('aria-selected') === 'true');
    return tab?.id.replace('tab-', '') ?? '';
  }

  #choose(chosen: HTMLButtonElement): void {
    for (const tab of this.#tabs) {
      set(tab, { 'aria-selected': String(tab === chosen), tabindex: tab === chosen ? 0 : -1 });
      const panel = byId(tab.getAttribute('aria-controls') as string);
      set(panel, { hidden: tab !== chosen });
    }
    this.#shown(chosen.id.replace('tab-', ''));
  }
}
