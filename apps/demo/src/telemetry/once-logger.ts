import type { DiagLogger } from '@opentelemetry/api';

/** A scrape in the first milliseconds misses the host's name in `target_info`; the next one has it. */
const UNIMPORTANT = /before async attributes settled/;

/** Different things that are said before the rest is kept back. */
const MAX_SAID = 50;

/**
 * What OpenTelemetry complains of, once each: a collector that is down is no news every five
 * seconds. Times, addresses and numbers do not make a complaint another one.
 */
export function onceLogger(log: (line: string) => void): DiagLogger {
  const said = new Set<string>();
  const complain = (message: unknown): void => {
    const text = textOf(message);
    if (UNIMPORTANT.test(text)) return;
    const key = text.replaceAll(/\d+/g, '#').slice(0, 80);
    if (said.has(key) || said.size >= MAX_SAID) return;
    said.add(key);
    log(text);
  };
  const ignore = (): void => undefined;
  return { error: complain, warn: complain, info: ignore, debug: ignore, verbose: ignore };
}

function textOf(message: unknown): string {
  if (message instanceof Error) return message.message;
  const text = String(message);
  // The SDK's error handler writes errors as JSON, stack and all.
  if (!text.startsWith('{')) return text.slice(0, 300);
  try {
    const { message: inner = text } = JSON.parse(text) as { message?: string };
    return String(inner).slice(0, 300);
  } catch {
    return text.slice(0, 300);
  }
}
