export { type CursorStore, fileCursor, type ShipCursor } from './cursor.ts';
export { type HttpCollectorOptions, httpCollector } from './http-collector.ts';
export { otlpLogs } from './otlp-target.ts';
export { type Shipping, type ShippingStats, ship } from './ship.ts';
export { ShipError } from './ship-error.ts';
export type { ShipOptions } from './ship-options.ts';
export type { ShippedEvent, ShipTarget } from './ship-target.ts';
