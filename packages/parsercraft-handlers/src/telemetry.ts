import { type InstrumentationScope, instrumentationScope } from '@temper/core';
import { VERSION } from './version.ts';

const scope: InstrumentationScope = instrumentationScope({
  name: '@temper/parsercraft-handlers',
  version: VERSION,
  metrics: [],
});

/** Reports what user code threw. The policies measure and trace; there is nothing to count twice. */
export const onListenerError: (error: unknown) => void = scope.onListenerError;
