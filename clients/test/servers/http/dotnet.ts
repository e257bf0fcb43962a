/** Where the cells of .NET come from. */
export const DOTNET_SOURCES = [
  '[the article on HTTP resilience](https://learn.microsoft.com/dotnet/core/resilience/http-resilience)',
  '[`HttpRetryStrategyOptions`](https://github.com/dotnet/extensions/blob/main/src/Libraries/Microsoft.Extensions.Http.Resilience/Polly/HttpRetryStrategyOptions.cs)',
  '[`HttpClientResiliencePredicates`](https://github.com/dotnet/extensions/blob/main/src/Libraries/Microsoft.Extensions.Http.Resilience/Polly/HttpClientResiliencePredicates.cs)',
  '[`ResilienceHandler`](https://github.com/dotnet/extensions/blob/main/src/Libraries/Microsoft.Extensions.Http.Resilience/Resilience/ResilienceHandler.cs)',
  '[the hedging handler](https://github.com/dotnet/extensions/blob/main/src/Libraries/Microsoft.Extensions.Http.Resilience/Hedging/ResilienceHttpClientBuilderExtensions.Hedging.cs)',
  "[Polly's hedging](https://www.pollydocs.org/strategies/hedging.html)",
];

/** The columns of .NET, which is not run here: its two standard handlers, with their defaults. */
export const DOTNET_NAMES = ['.NET standard †', '.NET hedging †'] as const;

/**
 * What their documentation and source say, by situation. Both handlers repeat any method, end where the headers
 * have arrived, and leave the body to `HttpClient`, whose own timeout is 100 seconds. The hedging one sends a
 * second request, at once when the first has failed, and never a third.
 */
export const DOTNET: Readonly<Record<string, readonly [standard: string, hedging: string]>> = {
  'GET, first answer 503': ['answer (2)', 'answer (2)'],
  'GET, first connection cut': ['answer (2)', 'answer (2)'],
  'POST, first answer 503': ['answer (2)', 'answer (2)'],
  'POST, first connection cut': ['answer (2)', 'answer (2)'],
  'POST with `Idempotency-Key`, first answer 503': ['answer (2)', 'answer (2)'],
  'body of a GET cut in the middle, strong ETag, ranges': ['error (1)', 'error (1)'],
  'the same, and the document has changed meanwhile': ['error (1)', 'error (1)'],
  'body stalls after its beginning': ['waits (1)', 'waits (1)'],
  '503 with `Retry-After: 3600`': ['waits (1)', 'error (2)'],
  'POST, nothing listens at first': ['answer (1)', 'answer (1) or error (0)'],
  'outage, each of 30 calls answered 503: requests for each call': ['4.0', '2.0'],
  'the server does not answer, a replica would': ['error', 'answer'],
};
