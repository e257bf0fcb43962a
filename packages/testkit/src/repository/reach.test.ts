import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Reach } from './reach.ts';

it('fails for a situation that was never reached, and names how often each was', () => {
  const reach = new Reach('opened', 'closed');
  reach.count('opened');
  reach.count('opened', 1 > 2);
  expect(() => reach.expectAll()).toThrow(
    'Reached less than 1 times: closed. All situations: opened 1, closed 0.',
  );
  reach.count('closed');
  reach.expectAll();
  expect(() => reach.expectAll(2)).toThrow('Reached less than 2 times: opened, closed.');
});

it('property tests of this repository try scripts of the length that they ask for', () => {
  const lengths = fc.sample(fc.array(fc.nat(), { maxLength: 60 }), 200).map((all) => all.length);
  expect(Math.max(...lengths)).toBeGreaterThan(50);
  const commands = fc.commands([fc.constant({ check: () => true, run: () => {} })], {
    maxCommands: 60,
  });
  let most = 0;
  fc.assert(
    fc.property(commands, (script) => {
      most = Math.max(most, [...script].length);
    }),
  );
  expect(most).toBeGreaterThan(50);
});
