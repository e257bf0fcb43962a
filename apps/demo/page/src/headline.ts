import { byId, el, set, setText } from './dom.ts';
import { millis, type Recent } from './recent.ts';
import { SUBSYSTEMS, titleOfBreaker } from './subsystems.ts';
import type { BreakerChange } from './wire.ts';

const ANSWERED_SECONDS = 30;
const ALL = SUBSYSTEMS.flatMap(({ operations }) => operations);

/** The current status in one sentence and three figures. */
export class Headline {
  readonly #now = byId('now');
  readonly #figures: Readonly<Record<'answered' | 'away' | 'calls' | 'slowest', HTMLElement>>;

  constructor() {
    const figures = { answered: el('dd'), away: el('dd'), calls: el('dd'), slowest: el('dd') };
    this.#figures = figures;
    const one = (term: string, value: HTMLElement): HTMLElement =>
      el('div', {}, el('dt', {}, term), value);
    byId('figures').append(
      one(`answered of admitted, ${ANSWERED_SECONDS}\u00a0s`, figures.answered),
      one(`turned away, ${ANSWERED_SECONDS}\u00a0s`, figures.away),
      one('calls per second', figures.calls),
      one('highest p99, 10\u00a0s', figures.slowest),
    );
  }

  show(recent: Recent): void {
    setText(this.#now, sentence(recent));
    const { success, degraded, rejected, failure } = recent.sum(ANSWERED_SECONDS);
    const admitted = success + degraded + failure;
    const share = admitted === 0 || !recent.connected ? undefined : (success + degraded) / admitted;
    const away = rejected + recent.turnedAway(ANSWERED_SECONDS);
    setText(this.#figures.answered, share === undefined ? '–' : percent(share));
    set(this.#figures.answered, {
      'data-good': share === undefined ? undefined : String(share > 0.99),
    });
    setText(this.#figures.away, recent.connected ? String(away) : '–');
    setText(this.#figures.calls, recent.connected ? String(recent.last?.calls ?? '–') : '–');
    setText(this.#figures.slowest, recent.connected ? millis(recent.p99(ALL)) : '–');
  }
}

function percent(share: number): string {
  // Rounds down, so that 100 % means every call.
  return share === 1 ? '100 %' : `${(Math.floor(share * 1_000) / 10).toFixed(1)} %`;
}

function sentence(recent: Recent): string {
  const { last } = recent;
  if (!recent.connected) return 'The service is not reachable. Reconnecting…';
  if (last === undefined) return 'Waiting for data…';
  const { degraded } = recent.sum(10);
  const away = recent.turnedAway(10);
  for (const [name, state] of recent.breakers) {
    const whose = titleOfBreaker(name);
    if (state === 'open') {
      return `The circuit to the ${whose} is open: calls are not made, and ${degraded} got degraded answers in the last 10 s.`;
    }
    if (state === 'half-open') return `A trial call checks whether the ${whose} has recovered.`;
  }
  const on = [...recent.faults.values()].filter((fault) => fault.on).map(({ title }) => title);
  if (on.length > 0) return `Active faults: ${on.join(', ')}.`;
  if (away > 0) return `The rate limit of the clients refused ${away} requests in the last 10 s.`;
  if (degraded > 0) return `Recovered. ${degraded} calls got degraded answers in the last 10 s.`;
  return 'All four subsystems work normally.';
}

/** Announces state changes to screen readers, but not figures that change every second. */
export class Announcer {
  readonly #place = byId('announcer');
  #timer: number | undefined;
  #words: string[] = [];

  announce(words: string): void {
    if (this.#words.includes(words)) return;
    this.#words.push(words);
    // Combines changes that happen at the same time into one announcement.
    this.#timer ??= setTimeout(() => {
      setText(this.#place, this.#words.slice(-3).join(' '));
      this.#words = [];
      this.#timer = undefined;
    }, 700);
  }

  breaker({ breaker, from, to }: BreakerChange): void {
    // Only opening and closing are announced, not the failed trial calls in between.
    if (to === 'half-open' || (from === 'half-open' && to === 'open')) return;
    this.announce(`The circuit to the ${titleOfBreaker(breaker)} is ${to}.`);
  }
}
