import type { SpanView, TraceView } from '../telemetry/trace-ring.ts';
import { withoutAddresses, withoutInnerPlacesInText } from './inner-places.ts';

/** A trace for everybody: without the addresses and paths that only the operator sees. */
export function publicTrace(trace: TraceView): TraceView {
  return { ...trace, spans: trace.spans.map(publicSpan) };
}

function publicSpan(span: SpanView): SpanView {
  const { message } = span;
  return {
    ...span,
    message: message === undefined ? undefined : withoutInnerPlacesInText(message),
    attributes: withoutPlaces(span.attributes),
  };
}

function withoutPlaces(attributes: SpanView['attributes']): SpanView['attributes'] {
  return Object.fromEntries(
    Object.entries(attributes)
      .filter(([name]) => !name.endsWith('.port'))
      .map(([name, value]) => [name, typeof value === 'string' ? withoutAddresses(value) : value]),
  );
}
