/** One of the four subsystems and its policies. */
export interface Subsystem {
  readonly id: 'ast' | 'protocols' | 'registry' | 'lsp';
  readonly title: string;
  /** Short title for the diagram. */
  readonly short: string;
  readonly about: string;
  readonly operations: readonly string[];
  readonly limiter?: string;
  readonly breaker?: string;
  readonly retried?: string;
  readonly check?: string;
}

export const SUBSYSTEMS: readonly Subsystem[] = [
  {
    id: 'registry',
    title: 'Package registry',
    short: 'Registry',
    about: 'fetches packages',
    operations: ['fetch_package'],
    limiter: 'registry_query',
    breaker: 'registry_fetch',
    retried: 'fetch_package',
    check: 'registry',
  },
  {
    id: 'ast',
    title: 'Parser and compiler',
    short: 'Compiler',
    about: 'compiles programs to C',
    operations: ['ast_codegen', 'type_inference'],
    limiter: 'ast_analysis',
    breaker: 'ast_codegen',
    check: 'ast_integration',
  },
  {
    id: 'protocols',
    title: 'Protocol checker',
    short: 'Checker',
    about: 'checks types against protocols',
    operations: ['check_protocol'],
    breaker: 'protocol_check',
    check: 'protocols',
  },
  {
    id: 'lsp',
    title: 'Language server',
    short: 'Server',
    about: 'answers editors, in a child process',
    operations: ['lsp_operation'],
    limiter: 'lsp_requests',
    breaker: 'lsp_operation',
    check: 'lsp',
  },
];

/** The title of a breaker's subsystem, in lower case. */
export function titleOfBreaker(name: string): string {
  return SUBSYSTEMS.find(({ breaker }) => breaker === name)?.title.toLowerCase() ?? name;
}
