import { call } from './api.ts';
import { byId, el } from './dom.ts';
import type { Tuning } from './wire.ts';

const STATUS: Readonly<Record<Tuning['status'], string>> = {
  observing: 'It learns while all is well.',
  incident: 'It learns nothing now, as an incident is under way.',
  trial: 'A change is on trial.',
};

/** Asks for the proposals of settings, and shows them with their evidence. */
export async function loadTuning(): Promise<void> {
  const answer = await call<Tuning>('GET', '/v1/tuning', { traced: false });
  if (answer.ok) show(answer.data);
}

function show({ status, settings, proposals, waiting, usual }: Tuning): void {
  const settled = Object.entries(settings).filter(
    ([name]) => ![...proposals, ...waiting].some(({ setting }) => setting === name),
  );
  byId('panel-tuning').replaceChildren(
    el(
      'p',
      { class: 'muted' },
      `Settings for fetching packages that ${usual.calls} calls speak for. ${STATUS[status]} Nothing is changed by itself.`,
    ),
    el(
      'ul',
      { class: 'checks' },
      ...proposals.map(({ setting, from, to, reason, evidence }) =>
        card(setting, 'proposal', `${text(from)} → ${text(to)}`, reason, facts(evidence)),
      ),
      ...settled.map(([name, value]) => card(name, 'good', text(value), 'good as it is')),
      ...waiting.map(({ setting, samples, needed, of }) =>
        card(
          setting,
          'waiting',
          text(settings[setting] ?? 0),
          `${samples} of ${needed} ${of} are known`,
        ),
      ),
    ),
  );
}

function card(
  setting: string,
  state: string,
  value: string,
  reason: string,
  evidence?: string,
): HTMLElement {
  return el(
    'li',
    { class: 'check', 'data-setting': setting, 'data-tuning': state },
    el(
      'p',
      { class: 'check-head' },
      el('strong', {}, setting),
      el('span', { class: 'chip', 'data-state': state === 'proposal' ? 'degraded' : '' }, value),
    ),
    el('p', {}, reason),
    evidence === undefined ? undefined : el('p', { class: 'muted' }, evidence),
  );
}

const text = (value: number): string => String(Number(value.toPrecision(4)));

function facts(evidence: Readonly<Record<string, number>>): string {
  return Object.entries(evidence)
    .map(([name, value]) => `${name} ${text(value)}`)
    .join(' · ');
}
