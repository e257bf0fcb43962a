// `pnpm forecast:evaluate`: measures every method, and writes the figures, tables and plots into docs.
import { readFileSync, writeFileSync } from 'node:fs';
import { evaluate, HELD_OUT_SEEDS, TUNING_SEEDS } from '../evaluation/evaluate.ts';
import { fill, tables } from '../evaluation/page.ts';
import { plotCalibration, plotCurves, plotKinds } from '../evaluation/plots.ts';
import { evaluateScaling, SCALING_HELD_OUT_SEEDS } from '../evaluation/scaling/evaluate.ts';
import { plotCost, plotMorning, scalingTables } from '../evaluation/scaling/page.ts';

const docs = new URL('../../docs/', import.meta.url);
const evaluation = evaluate(TUNING_SEEDS, HELD_OUT_SEEDS, (line) => console.error(line));
writeFileSync(new URL('evaluation.json', docs), `${JSON.stringify(evaluation, null, 2)}\n`);
writeFileSync(new URL('lead.svg', docs), plotCurves(evaluation));
writeFileSync(new URL('kinds.svg', docs), plotKinds(evaluation));
writeFileSync(new URL('calibration.svg', docs), plotCalibration(evaluation));
const parts = tables(evaluation);
const page = new URL('evaluation.md', docs);
writeFileSync(page, fill(readFileSync(page, 'utf8'), parts));
const readme = new URL('../../README.md', import.meta.url);
writeFileSync(readme, fill(readFileSync(readme, 'utf8'), { verdict: parts.verdict as string }));
console.log(parts.methods);

const scaling = evaluateScaling(SCALING_HELD_OUT_SEEDS, (line) =>
  console.error(`scaling: ${line}`),
);
writeFileSync(new URL('scaling.json', docs), `${JSON.stringify(scaling, null, 2)}\n`);
writeFileSync(new URL('scaling-cost.svg', docs), plotCost(scaling));
writeFileSync(new URL('scaling-morning.svg', docs), plotMorning(scaling));
const ofScaling = scalingTables(scaling);
const scalingPage = new URL('scaling.md', docs);
writeFileSync(scalingPage, fill(readFileSync(scalingPage, 'utf8'), ofScaling));
const verdict = { 'scaling-verdict': ofScaling['scaling-verdict'] as string };
writeFileSync(readme, fill(readFileSync(readme, 'utf8'), verdict));
console.log(ofScaling['opening']);
