import type { DiagLogger } from '@opentelemetry/api';
import { messageOf, safeText } from '@temper/core/policy';

/** Logged when an early scrape lacks the host name in `target_info`; the next scrape has it. */
const UNIMPORTANT = /before async attributes settled/;

/** Maximum length of a message. */
const MAX_LENGTH = 300;
/** Maximum number of distinct messages. */
const MAX_MESSAGES = 50;

/**
 * Logs each error and warning of OpenTelemetry once, so that an unavailable collector does not flood
 * the log. Messages that differ only in numbers count as the same.
 */
export function onceLogger(log: (line: string) => void): DiagLogger {
  const logged = new Set<string>();
  const logOnce = (message: unknown): void => {
    const text = textOf(message);
    if (UNIMPORTANT.test(text)) return;
    const key = text.replaceAll(/\d+/g, '#').slice(0, 80);
    if (logged.has(key) || logged.size >= MAX_MESSAGES) return;
    logged.add(key);
    log(text);
  };
  const ignore = (): void => undefined;
  return { error: logOnce, warn: logOnce, info: ignore, debug: ignore, verbose: ignore };
}

function textOf(message: unknown): string {
  if (message instanceof Error) return messageOf(message, MAX_LENGTH);
  const text = String(message);
  // The SDK's error handler serializes errors as JSON with the stack.
  if (!text.startsWith('{')) return safeText(text, MAX_LENGTH);
  try {
    const { message: inner = text } = JSON.parse(text) as { message?: string };
    return safeText(inner, MAX_LENGTH);
  } catch {
    return safeText(text, MAX_LENGTH);
  }
}
