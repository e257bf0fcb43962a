import { AlarmList, alarmsOf } from './alarms.ts';
import { AuditPanel } from './audit.ts';
import { Charts } from './charts.ts';
import { byId, el, set, setText } from './dom.ts';
import { FaultPanel } from './faults.ts';
import { Announcer, Headline } from './headline.ts';
import { askHealth, showHealth } from './health.ts';
import { isOperator } from './operator.ts';
import { markOf, OUTCOMES } from './outcomes.ts';
import { ProgramPanel } from './program.ts';
import { Recent, UNKNOWN } from './recent.ts';
import { closeRunbookFromOutside, openRunbook } from './runbook.ts';
import { ScenarioPanel } from './scenarios.ts';
import { Stream } from './stream.ts';
import { SUBSYSTEMS } from './subsystems.ts';
import { Swimlane } from './swimlane.ts';
import { Tabs } from './tabs.ts';
import { themeSwitch } from './theme-switch.ts';
import { TracePanel } from './traces.ts';
import { loadTuning } from './tuning.ts';
import type { Health } from './wire.ts';

const POLL_MS = 5_000;

const recent = new Recent();
const headline = new Headline();
const announcer = new Announcer();
const open = (id: string): void => void openRunbook(id);
const alarms = new AlarmList(open);
const faults = new FaultPanel(open);
const charts = new Charts(recent);
const lanes = SUBSYSTEMS.map((subsystem) => ({ subsystem, lane: new Swimlane(subsystem) }));
const traces = new TracePanel();
const audit = new AuditPanel();
const scenarios = new ScenarioPanel();
const program = new ProgramPanel((traceId) => {
  tabs.open('traces');
  void traces.open(traceId);
});
const tabs = new Tabs((name) => {
  traces.visible = name === 'traces';
  if (name === 'audit') void audit.load();
  if (name === 'tuning') void loadTuning();
});

byId('lanes').append(...lanes.map(({ lane }) => lane.element));
byId('outcomes').append(...OUTCOMES.map((outcome) => el('li', {}, markOf(outcome), outcome.label)));
themeSwitch(() => charts.draw());
closeRunbookFromOutside();
byId('visitor').hidden = isOperator();

/** Tabs that say what is so now. */
const PRESENT = ['health', 'tuning'];

function show(): void {
  headline.show(recent);
  alarms.show(alarmsOf(recent), recent.connected);
  for (const { lane } of lanes) lane.show(recent);
}

function takeHealth(health: Health): void {
  if (!recent.connected) return;
  recent.health = health;
  showHealth(health);
}

function connection(state: 'live' | 'lost'): void {
  const element = byId('connection');
  recent.connected = state === 'live';
  if (element.dataset.state === state) return;
  element.dataset.state = state;
  setText(element, state === 'live' ? 'Live' : 'Not connected');
  announcer.announce(
    state === 'live' ? 'Connected to the service.' : 'The service is not reachable.',
  );
  set(byId('faults'), { 'data-unknown': state === 'lost' });
  if (state === 'lost') for (const tab of PRESENT) setText(byId(`panel-${tab}`), UNKNOWN);
  show();
  charts.show();
}

const stream = new Stream();
stream.on('connection', connection);
stream.on('hello', (hello) => {
  recent.reset(hello.history);
  for (const fault of hello.faults) recent.faults.set(fault.name, fault);
  faults.show(hello.faults);
  program.limit(hello.limits);
  traces.reset(hello.traces);
  charts.show();
  show();
  void scenarios.load();
  void traces.load();
  void audit.load();
  void askHealth().then((health) => health !== undefined && takeHealth(health));
});
stream.on('second', (second) => {
  recent.add(second);
  if (!document.hidden) charts.show();
  show();
});
stream.on('operations', ({ samples }) => {
  for (const sample of samples) {
    lanes
      .find(({ subsystem }) => subsystem.operations.includes(sample.operation))
      ?.lane.fly(sample);
  }
});
stream.on('breaker', (change) => {
  recent.breakers.set(change.breaker, change.to);
  announcer.breaker(change);
  show();
});
stream.on('fault', (fault) => {
  recent.faults.set(fault.name, fault);
  faults.update(fault);
  announcer.announce(`${fault.title}: ${fault.on ? 'on' : 'off'}.`);
});
stream.on('health', takeHealth);
stream.on('audit', ({ events }) => {
  if (tabs.chosen === 'audit') audit.add(events);
});
stream.on('trace', (trace) => traces.add(trace));
stream.on('scenario', (news) => scenarios.news(news));
stream.open();

setInterval(() => {
  if (document.hidden || !recent.connected) return;
  if (tabs.chosen === 'audit') void audit.load();
  if (tabs.chosen === 'tuning') void loadTuning();
  if (tabs.chosen === 'health')
    void askHealth().then((health) => health !== undefined && takeHealth(health));
}, POLL_MS);
