import { el, set, setText, svg } from './dom.ts';
import { markOf, OUTCOMES } from './outcomes.ts';
import { millis, type Recent } from './recent.ts';
import type { Subsystem } from './subsystems.ts';
import type { OperationSample } from './wire.ts';

const HEIGHT = 72;
const LINE = 36;
const ARC = 9;
const SPAN_SECONDS = 10;
/** Positions of the stations, as shares of the width. */
const AT = { limiter: 0.2, retry: 0.37, breaker: 0.55, subsystem: 0.78 } as const;
const FLIGHT_MS = 1_500;
const MAX_DOTS = 24;

const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

/** One subsystem with its policies: a line along which calls are animated, and a text summary. */
export class Swimlane {
  readonly element: HTMLElement;
  readonly #subsystem: Subsystem;
  readonly #picture: SVGSVGElement;
  readonly #rail = svg('g');
  readonly #dots = svg('g', { class: 'dots' });
  /** Drawn above the dots. */
  readonly #top = svg('g');
  readonly #circuit = el('span', { class: 'chip' });
  readonly #rate = el('span', { class: 'muted' });
  readonly #counts = new Map<string, HTMLElement>();
  readonly #texts = new Map<string, SVGTextElement>();
  #limiterLevel = svg('rect');
  #lever = svg('path');
  #box = svg('rect');
  #width = 0;
  #dotCount = 0;

  constructor(subsystem: Subsystem) {
    this.#subsystem = subsystem;
    this.#picture = svg(
      'svg',
      { class: 'rail', height: HEIGHT, 'aria-hidden': 'true' },
      this.#rail,
      this.#dots,
      this.#top,
    );
    const counts = OUTCOMES.map((outcome) => {
      const count = el('span', { class: 'count-value' }, '0');
      this.#counts.set(outcome.name, count);
      return el(
        'li',
        { title: outcome.label },
        markOf(outcome),
        count,
        el('span', { class: 'hidden' }, ` ${outcome.label} in the last ${SPAN_SECONDS} s`),
      );
    });
    this.element = el(
      'article',
      { class: 'lane', 'data-subsystem': subsystem.id, 'aria-label': subsystem.title },
      el(
        'div',
        { class: 'lane-words' },
        el(
          'div',
          { class: 'lane-head' },
          el('h3', {}, subsystem.title),
          el('span', { class: 'hidden' }, subsystem.breaker === undefined ? 'process' : 'circuit'),
          this.#circuit,
        ),
        el('p', { class: 'lane-state' }, this.#rate),
        el('ul', { class: 'counts' }, ...counts),
      ),
      this.#picture,
    );
    new ResizeObserver(([entry]) => this.#draw(entry?.contentRect.width ?? 0)).observe(
      this.#picture,
    );
  }

  /** Updates the texts and the states. */
  show(recent: Recent): void {
    const { last, connected } = recent;
    set(this.element, { 'data-unknown': connected ? undefined : 'true' });
    if (!connected) {
      this.#forget();
      return;
    }
    if (last === undefined) return;
    const { limiter, breaker, retried, operations, check, id } = this.#subsystem;
    const sum = recent.sum(SPAN_SECONDS, operations);
    for (const { name } of OUTCOMES) {
      const element = this.#counts.get(name);
      if (element !== undefined) setText(element, String(sum[name]));
      set(element?.parentElement as Element, { 'data-some': sum[name] > 0 ? 'true' : undefined });
    }
    const seconds = Math.min(SPAN_SECONDS, recent.seconds.length);
    const perSecond = (sum.calls / Math.max(1, seconds)).toFixed(1);
    setText(this.#rate, `${perSecond}/s · p99 ${millis(recent.p99(operations))}`);
    if (limiter !== undefined) {
      const { remaining, limit } = last.limiters[limiter] ?? { remaining: 0, limit: 1 };
      const level = Math.max(0, Math.min(1, remaining / limit));
      set(this.#limiterLevel, { y: LINE + 13 - 26 * level, height: 26 * level });
      set(this.#limiterLevel, { 'data-low': level < 0.2 ? 'true' : undefined });
      this.#text('limiter', `${Math.floor(remaining)}/${limit}`);
    }
    if (retried !== undefined) {
      this.#text('retry', sum.retries === 1 ? '1 retry' : `${sum.retries} retries`);
    }
    if (breaker !== undefined) this.#showBreaker(recent, breaker);
    if (id === 'lsp') {
      const { state, restarts } = last.lsp;
      this.#text('retry', restarts === 1 ? '1 restart' : `${restarts} restarts`);
      if (state !== 'running') {
        setText(this.#circuit, state);
        set(this.#circuit, { 'data-state': 'open' });
      }
    }
    const health = check === undefined ? undefined : recent.health?.checks[check];
    set(this.#box, {
      'data-health': check === undefined ? 'healthy' : (health?.status ?? 'unknown'),
    });
  }

  /** Shows that nothing is known, while the service is away. */
  #forget(): void {
    for (const count of this.#counts.values()) {
      setText(count, '–');
      set(count.parentElement as Element, { 'data-some': undefined });
    }
    setText(this.#rate, '');
    setText(this.#circuit, 'unknown');
    set(this.#circuit, { 'data-state': 'unknown' });
    set(this.element, { 'data-breaker': 'unknown' });
    set(this.#lever, { 'data-state': 'unknown' });
    set(this.#box, { 'data-health': 'unknown' });
    for (const station of this.#words.keys()) this.#text(station, '');
  }

  /** Animates one call. */
  fly(sample: OperationSample): void {
    if (reducedMotion.matches || document.hidden || this.#width === 0) return;
    if (this.#dotCount >= MAX_DOTS) return;
    const outcome = OUTCOMES.find(({ name }) => name === sample.status);
    if (outcome === undefined) return;
    const dot = svg('path', { d: outcome.path, class: `dot is-${outcome.name}` });
    this.#dots.append(dot);
    this.#dotCount += 1;
    const flight = dot.animate(this.#flight(sample), { duration: FLIGHT_MS, easing: 'linear' });
    const land = (): void => {
      dot.remove();
      this.#dotCount -= 1;
    };
    flight.addEventListener('finish', land);
    flight.addEventListener('cancel', land);
  }

  #x(share: number): number {
    return 10 + (this.#width - 20) * share;
  }

  #flight({ status, errorType }: OperationSample): Keyframe[] {
    const at = (share: number, y: number, more: Keyframe = {}): Keyframe => ({
      transform: `translate(${this.#x(share)}px, ${y}px)`,
      ...more,
    });
    const start = [at(0, LINE, { opacity: 0 }), at(0.03, LINE, { opacity: 1, offset: 0.04 })];
    if (status === 'success') return [...start, at(1, LINE)];
    if (status === 'degraded') {
      // A degraded answer does not come from the subsystem.
      const turn = this.#subsystem.breaker === undefined ? AT.subsystem - 0.14 : AT.breaker;
      return [
        ...start,
        at(turn, LINE, { offset: 0.5 }),
        at(turn + 0.07, ARC, { offset: 0.6 }),
        at(0.93, ARC, { offset: 0.9 }),
        at(1, LINE),
      ];
    }
    const end =
      status === 'failure'
        ? AT.subsystem
        : errorType?.includes('RATE_LIMIT') === true && this.#subsystem.limiter !== undefined
          ? AT.limiter
          : AT.breaker;
    const fall = [at(end, LINE, { offset: 0.65 }), at(end, HEIGHT - 6, { offset: 0.9 })];
    return [...start, ...fall, at(end, HEIGHT - 6, { opacity: 0 })];
  }

  #text(station: string, words: string): void {
    const element = this.#texts.get(station);
    if (element !== undefined) setText(element, words);
    this.#words.set(station, words);
  }

  /** Texts of the stations, kept for redrawing. */
  readonly #words = new Map<string, string>();

  #showBreaker(recent: Recent, name: string): void {
    const state = recent.breaker(name);
    const { retryAfterMs, window } = recent.last?.breakers[name] ?? {};
    setText(this.#circuit, state);
    set(this.#circuit, { 'data-state': state });
    set(this.element, { 'data-breaker': state });
    set(this.#lever, { 'data-state': state });
    const trial = retryAfterMs === undefined ? '' : ` · ${Math.ceil(retryAfterMs / 1_000)} s`;
    const failures = window?.failures ?? 0;
    const counted = failures === 0 ? 'closed' : `${failures} failed`;
    this.#text(
      'breaker',
      state === 'closed'
        ? counted
        : state === 'open'
          ? `open${trial}`
          : state === 'half-open'
            ? 'trial'
            : state,
    );
  }

  /** Draws the line and its stations for the given width. */
  #draw(width: number): void {
    if (width === 0 || Math.abs(width - this.#width) < 1) return;
    this.#width = width;
    const { limiter, breaker, retried, short, id } = this.#subsystem;
    const x = (share: number): number => this.#x(share);
    const parts: Node[] = [
      svg('path', { class: 'track', d: `M${x(0)} ${LINE}H${x(1)}` }),
      svg('circle', { class: 'end', cx: x(0), cy: LINE, r: 4 }),
      svg('path', { class: 'end', d: `M${x(1) - 5} ${LINE - 5}l8 5l-8 5z` }),
    ];
    this.#texts.clear();
    const label = (station: keyof typeof AT): SVGTextElement => {
      const text = svg('text', { x: x(AT[station]), y: HEIGHT - 6, class: 'station' });
      setText(text, this.#words.get(station) ?? '');
      this.#texts.set(station, text);
      return text;
    };
    if (limiter !== undefined) {
      const box = { x: x(AT.limiter) - 5, width: 10, rx: 3 };
      const level = this.#limiterLevel;
      this.#limiterLevel = svg('rect', {
        ...box,
        class: 'level',
        y: level.getAttribute('y') ?? LINE - 13,
        height: level.getAttribute('height') ?? 26,
      });
      parts.push(svg('rect', { ...box, class: 'tank', y: LINE - 13, height: 26 }));
      parts.push(this.#limiterLevel, label('limiter'));
    }
    if (retried !== undefined) {
      const at = x(AT.retry);
      parts.push(
        svg('circle', { class: 'guard', cx: at, cy: LINE, r: 13 }),
        svg('path', { class: 'loop', d: `M${at + 5.5} ${LINE - 2}a6 6 0 1 0 -1 5` }),
        svg('path', { class: 'loop-tip', d: `M${at + 8} ${LINE - 5.5}l-1.5 5l-4.5-2z` }),
        label('retry'),
      );
    } else if (id === 'lsp') {
      // Its requests are not retried, but the server is restarted.
      parts.push(label('retry'));
    }
    if (id !== 'ast') {
      // Degraded answers bypass the subsystem; the compiler has none.
      const from = breaker === undefined ? AT.subsystem - 0.14 : AT.breaker;
      const d = `M${x(from)} ${LINE}L${x(from + 0.07)} ${ARC}H${x(0.93)}L${x(1)} ${LINE}`;
      parts.unshift(svg('path', { class: 'bypass', d }));
    }
    if (breaker !== undefined) {
      const at = x(AT.breaker);
      const state = this.#lever.getAttribute('data-state') ?? 'closed';
      this.#lever = svg('path', { class: 'lever', d: 'M0 0H24', 'data-state': state });
      parts.push(
        svg('rect', { class: 'gap', x: at - 14, y: LINE - 2, width: 28, height: 4 }),
        svg('g', { transform: `translate(${at - 12} ${LINE})` }, this.#lever),
        svg('circle', { class: 'contact', cx: at - 12, cy: LINE, r: 4 }),
        svg('circle', { class: 'contact', cx: at + 12, cy: LINE, r: 4 }),
        label('breaker'),
      );
    } else {
      parts.push(label('breaker'));
    }
    const room = Math.min(92, Math.max(52, width * 0.17));
    const health = this.#box.getAttribute('data-health') ?? 'healthy';
    this.#box = svg('rect', {
      class: 'box',
      x: x(AT.subsystem) - room / 2,
      y: LINE - 14,
      width: room,
      height: 28,
      rx: 6,
      'data-health': health,
    });
    const name = svg('text', { x: x(AT.subsystem), y: LINE + 4, class: 'box-name' }, short);
    this.#rail.replaceChildren(...parts);
    this.#top.replaceChildren(this.#box, name);
  }
}
