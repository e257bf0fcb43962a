import { browserSpans, call } from './api.ts';
import { button, byId, el, set } from './dom.ts';
import { millis } from './recent.ts';
import type { Span, Trace } from './wire.ts';

const LISTED = 14;
const KEPT = 60;

/** The list of the last traces and a waterfall of the selected one. */
export class TracePanel {
  readonly #list = el('ul', { class: 'trace-list', 'aria-label': 'Last traces' });
  readonly #detail = el('div', { class: 'trace-detail', id: 'trace-detail', tabindex: -1 });
  readonly #traces = new Map<string, Trace>();
  readonly #hold = el('input', { type: 'checkbox', id: 'hold-traces' });
  #jaegerUrl: string | undefined;
  #selected: string | undefined;
  #visible = false;

  constructor() {
    byId('panel-traces').append(
      el('label', { class: 'inline' }, this.#hold, ' Pause the list'),
      el('div', { class: 'traces' }, this.#list, this.#detail),
    );
    this.#hold.addEventListener('change', () => this.#showList());
  }

  /** Fetches the links to Jaeger and to the metrics. */
  async load(): Promise<void> {
    const answer = await call<{ readonly jaegerUrl?: string; readonly metricsUrl?: string }>(
      'GET',
      '/v1/traces?limit=0',
      { traced: false },
    );
    if (!answer.ok) return;
    const { jaegerUrl, metricsUrl } = answer.data;
    this.#jaegerUrl = jaegerUrl;
    const links = [
      ...(jaegerUrl === undefined ? [] : [['Jaeger', jaegerUrl] as const]),
      ...(metricsUrl === undefined ? [] : [['metrics for Prometheus', metricsUrl] as const]),
    ].filter(([, address]) => /^https?:/.test(address));
    const anchors = links.flatMap(([title, href]) => [
      ' ',
      el('a', { href, target: '_blank', rel: 'noreferrer' }, title),
    ]);
    byId('elsewhere').replaceChildren(...(links.length === 0 ? [] : ['Also:', ...anchors]));
  }

  reset(traces: readonly Trace[]): void {
    this.#traces.clear();
    for (const trace of traces.toReversed()) this.#keep(trace);
    this.#showList();
  }

  add(trace: Trace): void {
    this.#keep(trace);
    if (!this.#visible) return;
    if (!this.#hold.checked) this.#showList();
    if (trace.traceId === this.#selected) this.#showDetail(trace);
  }

  set visible(visible: boolean) {
    this.#visible = visible;
    if (visible) this.#showList();
  }

  /** Shows one trace. Fetches it again, because it may have new spans. */
  async open(traceId: string): Promise<void> {
    this.#selected = traceId;
    const answer = await call<Trace>('GET', `/v1/traces/${traceId}`, { traced: false });
    const trace = answer.ok ? answer.data : this.#traces.get(traceId);
    if (trace === undefined) {
      this.#detail.replaceChildren(
        el('p', {}, 'This trace is no longer available. Only the last traces are kept.'),
      );
    } else {
      this.#keep(trace);
      this.#showDetail(trace);
    }
    this.#showList();
  }

  #keep(trace: Trace): void {
    this.#traces.delete(trace.traceId);
    this.#traces.set(trace.traceId, trace);
    const [oldest] = this.#traces.keys();
    if (this.#traces.size > KEPT && oldest !== undefined) this.#traces.delete(oldest);
  }

  #showList(): void {
    // The list must not change while it has the focus.
    if (this.#list.contains(document.activeElement) && this.#list.childElementCount > 0) {
      for (const item of this.#list.querySelectorAll('button')) {
        set(item, { 'aria-pressed': String(item.dataset.trace === this.#selected) });
      }
      return;
    }
    const last = [...this.#traces.values()].reverse().slice(0, LISTED);
    this.#list.replaceChildren(
      ...last.map((trace) => {
        const { traceId, name, durationMs, failed, spans } = trace;
        const item = button(
          '',
          { 'data-trace': traceId, 'aria-pressed': String(traceId === this.#selected) },
          () => void this.open(traceId),
        );
        item.append(
          el('span', { class: 'trace-name' }, browserSpans.get(traceId)?.name ?? name),
          el(
            'span',
            { class: 'trace-facts' },
            `${failed ? 'failed · ' : ''}${spans.length === 1 ? '1 span' : `${spans.length} spans`} · ${millis(durationMs)}`,
          ),
        );
        set(item, { 'data-failed': failed ? 'true' : undefined });
        return el('li', {}, item);
      }),
    );
    if (this.#selected !== undefined) return;
    const first = last.find(({ spans }) => spans.length > 2) ?? last[0];
    if (first !== undefined) this.#showDetail(first);
  }

  #showDetail(trace: Trace): void {
    const rows = rowsOf(trace);
    const start = Math.min(...rows.map(({ span }) => span.startMs));
    const end = Math.max(...rows.map(({ span }) => span.startMs + span.durationMs));
    const whole = Math.max(end - start, 0.001);
    const link =
      this.#jaegerUrl !== undefined && /^https?:/.test(this.#jaegerUrl)
        ? el(
            'a',
            {
              href: `${this.#jaegerUrl.replace(/\/$/, '')}/trace/${trace.traceId}`,
              target: '_blank',
              rel: 'noreferrer',
            },
            'Open in Jaeger',
          )
        : undefined;
    this.#detail.replaceChildren(
      el('h3', {}, browserSpans.get(trace.traceId)?.name ?? trace.name),
      el('p', { class: 'muted' }, el('code', {}, trace.traceId), ` · ${millis(whole)} `, link),
      el(
        'ol',
        { class: 'waterfall', 'aria-label': 'Spans, ordered by start time' },
        ...rows.map(({ span, depth }) => {
          const bar = el('span', { class: 'span-bar' });
          bar.style.left = `${((span.startMs - start) / whole) * 100}%`;
          bar.style.width = `max(3px, ${(span.durationMs / whole) * 100}%)`;
          const name = el('span', { class: 'span-name', title: span.scope }, nameOf(span));
          name.style.paddingLeft = `${Math.min(depth, 8) * 12}px`;
          const row = el(
            'li',
            { 'data-status': span.status, 'data-kind': span.kind },
            name,
            el('span', { class: 'span-lane', 'aria-hidden': 'true' }, bar),
            el('span', { class: 'span-time' }, millis(span.durationMs)),
          );
          if (span.message !== undefined)
            row.append(el('span', { class: 'span-message' }, span.message));
          return row;
        }),
      ),
      trace.dropped > 0
        ? el('p', { class: 'muted' }, `${trace.dropped} more spans were dropped.`)
        : '',
    );
  }
}

/** The span name, with the attempt number or the URL path if it has one. */
function nameOf({ name, kind, attributes }: Span): string {
  const { 'url.path': path, 'temper.retry.attempt': attempt } = attributes;
  if (kind === 'client' && typeof path === 'string') return `${name} ${path}`;
  return name === 'attempt' && typeof attempt === 'number' ? `attempt ${attempt}` : name;
}

/** Spans in tree order, with the browser span of the page's own request as the root. */
function rowsOf(trace: Trace): readonly { readonly span: Span; readonly depth: number }[] {
  const own = browserSpans.get(trace.traceId);
  const spans: readonly Span[] =
    own === undefined
      ? trace.spans
      : [
          {
            ...own,
            name: `browser: ${own.name}`,
            kind: 'browser',
            scope: 'this page',
            status: own.failed ? 'error' : 'unset',
            attributes: {},
          },
          ...trace.spans,
        ];
  const ids = new Set(spans.map(({ spanId }) => spanId));
  const rows: { span: Span; depth: number }[] = [];
  const below = (parent: string | undefined, depth: number): void => {
    for (const span of spans) {
      const at =
        span.parentSpanId !== undefined && ids.has(span.parentSpanId)
          ? span.parentSpanId
          : undefined;
      if (at !== parent) continue;
      rows.push({ span, depth });
      below(span.spanId, depth + 1);
    }
  };
  below(undefined, 0);
  return rows;
}
