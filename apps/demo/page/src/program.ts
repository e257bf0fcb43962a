import { type Answer, call, problemText } from './api.ts';
import { button, byId, el, setText } from './dom.ts';
import { EXAMPLES } from './examples.ts';
import type { Diagnostic, Limits } from './wire.ts';

interface RunAnswer {
  readonly output?: string;
  readonly errorOutput?: string;
  readonly exitCode?: number;
  readonly packages?: Readonly<
    Record<string, { readonly version: string; readonly degraded?: { readonly ageMs?: number } }>
  >;
}

interface LspDiagnostics {
  readonly result: {
    readonly items?: readonly {
      readonly message: string;
      readonly range: { readonly start: { readonly line: number; readonly character: number } };
    }[];
  };
  readonly degraded?: { readonly reason: string };
}

const CHECK_AFTER_MS = 400;
/** With 10 000 lines in its text area Chromium stands still for half a minute at each key. */
const MAX_LINES = 1_000;
/** Errors that are listed. */
const MAX_LISTED = 50;

/** The editor: checks a program while it is edited, compiles it to C and runs it. */
export class ProgramPanel {
  readonly #language = el('select', { id: 'language' });
  readonly #text = el('textarea', {
    id: 'source',
    spellcheck: 'false',
    autocapitalize: 'off',
    autocomplete: 'off',
    wrap: 'off',
    rows: 20,
    'aria-describedby': 'source-hint',
  });
  readonly #length = el('span');
  readonly #numbers = el('pre', { class: 'numbers', 'aria-hidden': 'true' });
  readonly #faults = el('ul', { class: 'diagnostics', id: 'diagnostics' });
  readonly #checked = el('p', { class: 'said', role: 'status', id: 'checked' });
  readonly #outcome = el(
    'p',
    { class: 'said', role: 'status', id: 'outcome' },
    'No program has been run yet.',
  );
  readonly #output = el('pre', {
    class: 'output',
    id: 'output',
    tabindex: 0,
    role: 'region',
    'aria-label': 'Result',
  });
  readonly #openTrace: (traceId: string) => void;
  #timer: number | undefined;
  #maxLength = Number.POSITIVE_INFINITY;
  #version = 0;

  constructor(openTrace: (traceId: string) => void) {
    this.#openTrace = openTrace;
    this.#language.append(
      ...EXAMPLES.map(({ language, title }) => el('option', { value: language }, title)),
    );
    this.#language.addEventListener('change', () => this.#example());
    this.#text.addEventListener('input', () => this.#edited());
    this.#text.addEventListener('paste', (event) => this.#paste(event));
    this.#text.addEventListener('keydown', (event) => {
      if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      void this.#run();
    });
    this.#text.addEventListener('scroll', () => {
      this.#numbers.scrollTop = this.#text.scrollTop;
    });
    byId('panel-program').append(
      el(
        'div',
        { class: 'editor' },
        el(
          'div',
          { class: 'editor-head' },
          el('label', { class: 'inline' }, 'Language ', this.#language),
          button('Run', { class: 'primary', id: 'run' }, () => void this.#run()),
          button('Show C code', { class: 'quiet', id: 'compile' }, () => void this.#compile()),
        ),
        el(
          'div',
          { class: 'source' },
          this.#numbers,
          el('label', { class: 'hidden', for: 'source' }, 'Program'),
          this.#text,
        ),
        el(
          'p',
          { class: 'muted hint', id: 'source-hint' },
          this.#length,
          ' Ctrl+Enter runs the program. Errors are listed below while you type.',
        ),
        this.#checked,
        this.#faults,
      ),
      el('div', { class: 'result' }, this.#outcome, this.#output),
    );
    this.#example();
  }

  /** Takes what the service accepts. */
  limit({ sourceLength }: Limits): void {
    this.#maxLength = sourceLength;
    this.#count();
  }

  #example(): void {
    const example = EXAMPLES.find(({ language }) => language === this.#language.value);
    this.#text.value = example?.source ?? '';
    this.#edited();
  }

  #paste(event: ClipboardEvent): void {
    const text = event.clipboardData?.getData('text/plain') ?? '';
    const { selectionStart, selectionEnd, value } = this.#text;
    const rest = value.slice(0, selectionStart) + value.slice(selectionEnd);
    const lines = linesOf(rest) + linesOf(text) - 1;
    if (lines <= MAX_LINES && rest.length + text.length <= this.#maxLength) return;
    event.preventDefault();
    const size = `${linesOf(text) === 1 ? '1 line' : `${number(linesOf(text))} lines`}, ${number(text.length)} characters`;
    setText(this.#checked, `Not inserted: too long for this editor (${size}).`);
    this.#checked.dataset.bad = 'true';
  }

  #edited(): void {
    const lines = linesOf(this.#text.value);
    setText(this.#numbers, Array.from({ length: lines }, (_, index) => index + 1).join('\n'));
    this.#count();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#check(), CHECK_AFTER_MS);
  }

  #count(): void {
    const { length } = this.#text.value;
    const known = Number.isFinite(this.#maxLength);
    const limit = known ? ` of at most ${number(this.#maxLength)}` : '';
    const lines = `in at most ${number(MAX_LINES)} lines`;
    setText(this.#length, `${number(length)}${limit} characters, ${lines}.`);
    this.#length.dataset.bad = String(length > this.#maxLength);
  }

  /** Requests diagnostics from the language server. */
  async #check(): Promise<void> {
    this.#version += 1;
    const version = this.#version;
    if (this.#text.value.length > this.#maxLength) {
      this.#faults.replaceChildren();
      setText(this.#checked, 'Not checked: the program is too long for the service.');
      this.#checked.dataset.bad = 'true';
      return;
    }
    const answer = await call<LspDiagnostics>('POST', '/v1/lsp/diagnostics', {
      body: { text: this.#text.value, language: this.#language.value, document: 'page' },
      traced: false,
    });
    if (version !== this.#version) return;
    if (!answer.ok) {
      setText(this.#checked, `Not checked: ${problemText(answer.problem)}`);
      return;
    }
    const items = answer.data.result.items ?? [];
    this.#showFaults(
      items.map(({ message, range: { start } }) => ({
        message,
        line: start.line + 1,
        column: start.character + 1,
      })),
      answer.data.degraded === undefined ? '' : ' (degraded answer: the language server is down)',
    );
  }

  #showFaults(faults: readonly Diagnostic[], remark = ''): void {
    const count = faults.length === 1 ? 'One error.' : `${faults.length} errors.`;
    const first = faults.length > MAX_LISTED ? ` The first ${MAX_LISTED} are listed.` : '';
    setText(this.#checked, `${faults.length === 0 ? 'No errors.' : count}${first}${remark}`);
    this.#checked.dataset.bad = String(faults.length > 0);
    this.#faults.replaceChildren(
      ...faults.slice(0, MAX_LISTED).map(({ line, column, message }) =>
        el(
          'li',
          {},
          button(`${line}:${column} ${message}`, { class: 'link' }, () => this.#goTo(line, column)),
        ),
      ),
    );
  }

  #goTo(line: number, column: number): void {
    const before = this.#text.value
      .split('\n')
      .slice(0, line - 1)
      .join('\n').length;
    const at = before + (line > 1 ? 1 : 0) + column - 1;
    this.#text.focus();
    this.#text.setSelectionRange(at, at + 1);
  }

  get #body(): object {
    return { source: this.#text.value, language: this.#language.value };
  }

  async #run(): Promise<void> {
    setText(this.#outcome, 'Running…');
    const startedAt = performance.now();
    const answer = await call<RunAnswer>('POST', '/v1/run', { body: this.#body });
    const took = Math.round(performance.now() - startedAt);
    if (!this.#succeeded(answer)) return;
    const { output = '', errorOutput = '', exitCode = 0 } = answer.data;
    setText(this.#output, output + errorOutput);
    this.#tell(`Exit code ${exitCode} after ${took} ms.${packages(answer.data)}`, answer.traceId);
  }

  async #compile(): Promise<void> {
    setText(this.#outcome, 'Compiling…');
    const answer = await call<{ readonly c?: string } & RunAnswer>('POST', '/v1/compile', {
      body: this.#body,
    });
    if (!this.#succeeded(answer)) return;
    const c = answer.data.c ?? '';
    setText(this.#output, c);
    this.#tell(`${c.split('\n').length} lines of C.${packages(answer.data)}`, answer.traceId);
  }

  #succeeded<T>(answer: Answer<T>): answer is Extract<Answer<T>, { ok: true }> {
    if (answer.ok) return true;
    const { diagnostics } = answer.problem;
    setText(this.#output, problemText(answer.problem));
    this.#tell(`${answer.problem.title ?? 'The request failed'}.`, answer.traceId);
    if (diagnostics !== undefined) {
      this.#showFaults(diagnostics.map(({ message, start }) => ({ message, ...start })));
    }
    return false;
  }

  #tell(words: string, traceId: string): void {
    this.#outcome.replaceChildren(
      `${words} `,
      button('Show trace', { class: 'link', id: 'see-trace', 'data-trace': traceId }, () =>
        this.#openTrace(traceId),
      ),
    );
  }
}

function linesOf(text: string): number {
  return text.split('\n').length;
}

function number(value: number): string {
  return value.toLocaleString('en');
}

function packages({ packages: used = {} }: RunAnswer): string {
  return Object.entries(used)
    .map(([name, { version, degraded }]) => {
      const age =
        degraded?.ageMs === undefined ? '' : `, ${Math.round(degraded.ageMs / 1_000)} s old`;
      return ` ${name} ${version}${degraded === undefined ? '' : ` (stale copy${age})`}.`;
    })
    .join('');
}
