import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { parse } from 'yaml';

it('the stack accepts the host by which Prometheus asks for the metrics', () => {
  const folder = new URL('..', import.meta.url);
  const read = (path: string): unknown => parse(readFileSync(new URL(path, folder), 'utf8'));
  const { services } = read('compose.yaml') as { services: { service: { command: string[] } } };
  const { scrape_configs: jobs } = read('prometheus/prometheus.yaml') as {
    scrape_configs: { static_configs: { targets: string[] }[] }[];
  };
  const { command } = services.service;
  const allowed = command.filter((_, index) => command[index - 1] === '--allow-host');
  const targets = jobs.flatMap((job) => job.static_configs.flatMap((one) => one.targets));
  const ofService = targets.filter((target) => target.endsWith(':9464'));
  expect(ofService.length).toBeGreaterThan(0);
  for (const target of ofService) expect(allowed).toContain(target.split(':')[0]);
});
