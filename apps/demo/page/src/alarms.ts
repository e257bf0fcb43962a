import { button, byId, el, set, setText } from './dom.ts';
import { millis, type Recent, UNKNOWN } from './recent.ts';
import { SUBSYSTEMS, titleOfBreaker } from './subsystems.ts';

interface Alarm {
  readonly id: string;
  readonly text: string;
  readonly runbook: string;
}

const SLOW_MS = 1_500;
/** Name of the health check of the failure predictor. */
const OUTLOOK = 'registry_outlook';
const MUCH_MEMORY = 1_000_000_000;

/** The current alarms, by the same symptoms as the Prometheus alert rules. */
export function alarmsOf(recent: Recent): readonly Alarm[] {
  const alarms: Alarm[] = [];
  const { last } = recent;
  // What was known before says nothing about now.
  if (!recent.connected) return alarms;
  for (const [name, state] of recent.breakers) {
    if (state === 'closed') continue;
    const text = `Circuit to the ${titleOfBreaker(name)} is ${state}`;
    alarms.push({ id: `breaker-${name}`, text, runbook: 'circuit_breaker_open' });
  }
  for (const { id, title, operations, breaker } of SUBSYSTEMS) {
    const { failure, rejected, calls } = recent.sum(10, operations);
    if (calls > 0 && failure / calls > 0.05) {
      const text = `${title}: ${failure} of ${calls} calls failed in 10 s`;
      alarms.push({ id: `failures-${id}`, text, runbook: 'persistent_errors' });
    }
    if (rejected > 0) {
      const text = `${title}: ${rejected} of ${calls} calls rejected in 10 s`;
      const isOpen = breaker !== undefined && recent.breaker(breaker) !== 'closed';
      const runbook = isOpen ? 'circuit_breaker_open' : 'rate_limit_exceeded';
      alarms.push({ id: `rejected-${id}`, text, runbook });
    }
    const p99 = recent.p99(operations) ?? 0;
    if (p99 > SLOW_MS) {
      const text = `${title}: p99 latency is ${millis(p99)}`;
      alarms.push({ id: `slow-${id}`, text, runbook: 'slow_response' });
    }
  }
  if (last !== undefined) {
    if (last.lsp.state !== 'running') {
      const text = `Language server is down: ${last.lsp.state}`;
      alarms.push({ id: 'lsp', text, runbook: 'unhealthy_check' });
    }
    if (last.memory.rss > MUCH_MEMORY) {
      const text = `Memory: ${Math.round(last.memory.rss / 1e6)} MB in use`;
      alarms.push({ id: 'memory', text, runbook: 'high_memory_usage' });
    }
  }
  for (const check of Object.values(recent.health?.checks ?? {})) {
    if (check.status === 'healthy') continue;
    if (check.name === OUTLOOK) {
      const text = `Early warning, registry: ${check.message ?? 'unlike its usual'}`;
      alarms.push({ id: 'early-warning', text, runbook: 'slow_response' });
      continue;
    }
    const text = `Health check ${check.name.replaceAll('_', ' ')}: ${check.status}`;
    const runbook = check.name === 'audit' ? 'audit_loss' : 'unhealthy_check';
    alarms.push({ id: `health-${check.name}`, text, runbook });
  }
  return alarms;
}

/** Shows the alarms with links to their runbooks. An unchanged alarm keeps its element and its focus. */
export class AlarmList {
  readonly #list = byId('alarms');
  readonly #calm = byId('no-alarm');
  readonly #shown = new Map<string, { item: HTMLLIElement; text: HTMLSpanElement }>();
  readonly #openRunbook: (id: string) => void;

  constructor(openRunbook: (id: string) => void) {
    this.#openRunbook = openRunbook;
  }

  /** @param isKnown - whether the service can be asked */
  show(alarms: readonly Alarm[], isKnown: boolean): void {
    const ids = new Set(alarms.map(({ id }) => id));
    for (const [id, { item }] of this.#shown) {
      if (ids.has(id)) continue;
      item.remove();
      this.#shown.delete(id);
    }
    for (const alarm of alarms) {
      const shown = this.#shown.get(alarm.id);
      if (shown !== undefined) setText(shown.text, alarm.text);
      else this.#add(alarm);
    }
    this.#order(alarms);
    set(this.#calm, { hidden: alarms.length > 0 });
    setText(this.#calm, isKnown ? 'No alarms. Each alarm links to its runbook.' : UNKNOWN);
    set(this.#list, { hidden: alarms.length === 0 });
  }

  /** Restores the order by severity, unless an alarm has the focus. */
  #order(alarms: readonly Alarm[]): void {
    if (this.#list.contains(document.activeElement)) return;
    const items = alarms.flatMap(({ id }) => this.#shown.get(id)?.item ?? []);
    if (items.every((item, at) => this.#list.children[at] === item)) return;
    this.#list.append(...items);
  }

  #add({ id, text, runbook }: Alarm): void {
    const words = el('span', {}, text);
    const open = button('Runbook', { class: 'link', 'aria-label': `Runbook for: ${text}` }, () =>
      this.#openRunbook(runbook),
    );
    const item = el('li', { class: 'alarm', 'data-alarm': id }, words, open);
    this.#list.append(item);
    this.#shown.set(id, { item, text: words });
  }
}
