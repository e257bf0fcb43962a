import fc from 'fast-check';

// fast-check generates at most about ten elements unless it is told otherwise, even where a test asks for 60:
// the long scripts, the ones that open a circuit twice, would never run. `maxLength` and `maxCommands` of a test
// are meant, so they are used in full.
//
// A failure prints its seed and path. TEMPER_PROPERTY_SEED runs every property with that seed.
const seed = process.env.TEMPER_PROPERTY_SEED;
fc.configureGlobal({
  defaultSizeToMaxWhenMaxSpecified: true,
  ...(seed === undefined ? {} : { seed: Number(seed) }),
});
