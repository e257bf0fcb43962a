import { EOF, type IToken, tokenMatcher } from 'chevrotain';
import type { LanguageDefinition } from '../lang/definition.ts';
import type {
  Block,
  Expression,
  FunctionDeclaration,
  IfBranch,
  Program,
  Statement,
  UseDeclaration,
} from './ast.ts';
import { ExpressionGrammar } from './expression-grammar.ts';
import { type GrammarFault, type Rule, TooManyErrors } from './grammar-actions.ts';
import { decodeString } from './literals.ts';
import type { Vocabulary } from './vocabulary.ts';

interface GrammarResult {
  readonly program: Program;
  readonly faults: readonly GrammarFault[];
}

/**
 * The grammar over the token types of one definition. The rules build the tree while parsing. A
 * rule that fails skips to a token where its caller can continue, and produces an `Error…` node.
 */
export class Grammar extends ExpressionGrammar {
  constructor(definition: LanguageDefinition, vocabulary: Vocabulary, maxErrors: number) {
    super(definition, vocabulary, maxErrors);
    this.performSelfAnalysis();
  }

  /** Parses the tokens of `text`. Afterwards `errors` contains the syntax errors. */
  parseTokens(text: string, tokens: IToken[]): GrammarResult {
    this.begin(text, tokens);
    try {
      this.program();
    } catch (error) {
      if (!(error instanceof TooManyErrors)) throw error;
    }
    const span = { start: 0, end: text.length };
    return { program: { kind: 'Program', body: this.body, span }, faults: this.faults };
  }

  protected readonly program: Rule<void> = this.RULE('program', () => {
    this.MANY(() => {
      this.OR([
        { ALT: () => this.keep(this.SUBRULE(this.useDeclaration)) },
        { ALT: () => this.keep(this.SUBRULE(this.functionDeclaration)) },
        { ALT: () => this.keep(this.SUBRULE(this.statement)) },
        { ALT: () => this.CONSUME(this.v.semicolon) },
      ]);
    });
    this.CONSUME(EOF);
  });

  protected readonly useDeclaration: Rule<UseDeclaration | undefined> = this.RULE(
    'useDeclaration',
    (): UseDeclaration | undefined => {
      const start = this.startOffset();
      this.CONSUME(this.v.keyword.use);
      let packageName = '';
      const packageStart = this.startOffset();
      this.OR([
        {
          ALT: () => {
            packageName = this.decoded(this.CONSUME(this.v.string), (image) =>
              decodeString(image, true),
            );
          },
        },
        {
          ALT: () => {
            const parts: string[] = [];
            this.AT_LEAST_ONE_SEP({
              SEP: this.v.dot,
              DEF: () => parts.push(this.nameOf(this.CONSUME(this.v.identifier)).text),
            });
            packageName = parts.join('.');
          },
        },
      ]);
      const packageSpan = this.spanFrom(packageStart);
      const alias = this.OPTION(() => {
        this.CONSUME(this.v.keyword.as);
        return this.nameOf(this.CONSUME2(this.v.identifier));
      });
      return {
        kind: 'UseDeclaration',
        packageName,
        packageSpan,
        alias,
        span: this.spanFrom(start),
      };
    },
    { recoveryValueFunc: (): UseDeclaration | undefined => undefined },
  );

  protected readonly functionDeclaration: Rule<FunctionDeclaration | undefined> = this.RULE(
    'functionDeclaration',
    (): FunctionDeclaration | undefined => {
      const start = this.startOffset();
      this.CONSUME(this.v.keyword.function);
      const name = this.nameOf(this.CONSUME(this.v.identifier));
      const parameters = this.SUBRULE(this.parameters);
      const result = this.OPTION(() => {
        this.CONSUME(this.v.colon);
        return this.SUBRULE(this.typeNode);
      });
      const body = this.SUBRULE(this.block);
      const span = this.spanFrom(start);
      return { kind: 'FunctionDeclaration', name, parameters, result, body, span };
    },
    { recoveryValueFunc: (): FunctionDeclaration | undefined => undefined },
  );

  protected readonly block: Rule<Block> = this.RULE(
    'block',
    (): Block => {
      const start = this.startOffset();
      const statements: Statement[] = [];
      this.CONSUME(this.v.blockOpen);
      this.MANY(() => {
        this.OR([
          { ALT: () => statements.push(this.SUBRULE(this.statement)) },
          { ALT: () => this.CONSUME(this.v.semicolon) },
        ]);
      });
      this.CONSUME(this.v.blockClose);
      return { kind: 'Block', statements, span: this.spanFrom(start) };
    },
    { recoveryValueFunc: (): Block => ({ kind: 'Block', statements: [], span: this.spanHere() }) },
  );

  protected readonly statement: Rule<Statement> = this.RULE(
    'statement',
    (): Statement =>
      this.OR([
        { ALT: (): Statement => this.SUBRULE(this.letStatement) },
        { ALT: (): Statement => this.SUBRULE(this.ifStatement) },
        { ALT: (): Statement => this.SUBRULE(this.whileStatement) },
        { ALT: (): Statement => this.SUBRULE(this.forStatement) },
        { ALT: (): Statement => this.SUBRULE(this.returnStatement) },
        {
          ALT: (): Statement => {
            const start = this.startOffset();
            this.CONSUME(this.v.keyword.break);
            return { kind: 'BreakStatement', span: this.spanFrom(start) };
          },
        },
        {
          ALT: (): Statement => {
            const start = this.startOffset();
            this.CONSUME(this.v.keyword.continue);
            return { kind: 'ContinueStatement', span: this.spanFrom(start) };
          },
        },
        { ALT: (): Statement => this.SUBRULE(this.nameStatement) },
      ]),
    { recoveryValueFunc: (): Statement => this.brokenStatement() },
  );

  protected readonly letStatement: Rule<Statement> = this.RULE(
    'letStatement',
    (): Statement => {
      const start = this.startOffset();
      this.CONSUME(this.v.keyword.let);
      const name = this.nameOf(this.CONSUME(this.v.identifier));
      const annotation = this.OPTION(() => this.SUBRULE(this.annotation));
      this.CONSUME(this.v.assign);
      const value = this.SUBRULE(this.expression);
      return { kind: 'LetStatement', name, annotation, value, span: this.spanFrom(start) };
    },
    { recoveryValueFunc: (): Statement => this.brokenStatement() },
  );

  protected readonly ifStatement: Rule<Statement> = this.RULE(
    'ifStatement',
    (): Statement => {
      const start = this.startOffset();
      const branches: IfBranch[] = [];
      let otherwise: Block | undefined;
      this.CONSUME(this.v.keyword.if);
      branches.push({
        condition: this.SUBRULE(this.expression),
        body: this.SUBRULE(this.block),
      });
      this.MANY({
        // `else` continues this chain only when `if` follows it.
        GATE: () => tokenMatcher(this.LA(2), this.v.keyword.if),
        DEF: () => {
          this.CONSUME(this.v.keyword.else);
          this.CONSUME2(this.v.keyword.if);
          branches.push({
            condition: this.SUBRULE2(this.expression),
            body: this.SUBRULE2(this.block),
          });
        },
      });
      this.OPTION(() => {
        this.CONSUME2(this.v.keyword.else);
        otherwise = this.SUBRULE3(this.block);
      });
      return { kind: 'IfStatement', branches, otherwise, span: this.spanFrom(start) };
    },
    { recoveryValueFunc: (): Statement => this.brokenStatement() },
  );

  protected readonly whileStatement: Rule<Statement> = this.RULE(
    'whileStatement',
    (): Statement => {
      const start = this.startOffset();
      this.CONSUME(this.v.keyword.while);
      const condition = this.SUBRULE(this.expression);
      const body = this.SUBRULE(this.block);
      return { kind: 'WhileStatement', condition, body, span: this.spanFrom(start) };
    },
    { recoveryValueFunc: (): Statement => this.brokenStatement() },
  );

  protected readonly forStatement: Rule<Statement> = this.RULE(
    'forStatement',
    (): Statement => {
      const start = this.startOffset();
      this.CONSUME(this.v.keyword.for);
      const variable = this.nameOf(this.CONSUME(this.v.identifier));
      this.CONSUME(this.v.keyword.from);
      const from = this.SUBRULE(this.expression);
      this.CONSUME(this.v.keyword.to);
      const to = this.SUBRULE2(this.expression);
      const body = this.SUBRULE(this.block);
      return { kind: 'ForStatement', variable, from, to, body, span: this.spanFrom(start) };
    },
    { recoveryValueFunc: (): Statement => this.brokenStatement() },
  );

  protected readonly returnStatement: Rule<Statement> = this.RULE(
    'returnStatement',
    (): Statement => {
      const start = this.startOffset();
      this.CONSUME(this.v.keyword.return);
      const value = this.OPTION({
        // Statements have no terminator, so a value on the next line starts the next statement.
        GATE: () => this.onSameLine(),
        DEF: () => this.SUBRULE(this.expression),
      });
      return { kind: 'ReturnStatement', value, span: this.spanFrom(start) };
    },
    { recoveryValueFunc: (): Statement => this.brokenStatement() },
  );

  protected readonly nameStatement: Rule<Statement> = this.RULE(
    'nameStatement',
    (): Statement => {
      const start = this.startOffset();
      const name = this.nameOf(this.CONSUME(this.v.identifier));
      return this.OR([
        {
          ALT: (): Statement => {
            this.CONSUME(this.v.assign);
            const value = this.SUBRULE(this.expression);
            return { kind: 'AssignStatement', target: name, value, span: this.spanFrom(start) };
          },
        },
        {
          ALT: (): Statement => {
            let call: Expression = { kind: 'NameExpression', name, span: name.span };
            this.OPTION(() => {
              this.CONSUME(this.v.dot);
              const member = this.nameOf(this.CONSUME2(this.v.identifier));
              call = { kind: 'MemberExpression', module: name, member, span: this.spanFrom(start) };
            });
            this.AT_LEAST_ONE(() => {
              const list = this.SUBRULE(this.argumentList);
              const span = this.spanFrom(start);
              call = { kind: 'CallExpression', callee: call, arguments: list, span };
            });
            return { kind: 'CallStatement', call, span: this.spanFrom(start) };
          },
        },
      ]);
    },
    { recoveryValueFunc: (): Statement => this.brokenStatement() },
  );

  protected brokenStatement(): Statement {
    return { kind: 'ErrorStatement', span: this.spanHere() };
  }
}
