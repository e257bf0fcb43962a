import type { LanguageDefinition } from '../lang/definition.ts';
import { isWord } from '../lang/words.ts';
import type { Block, Comment, Program, TopLevel } from '../parse/ast.ts';
import { encodeString } from '../parse/literals.ts';
import { type ParseOptions, parseStrict } from '../parse/parse.ts';
import { CommentQueue } from './comments.ts';
import { ExpressionPrinter } from './expressions.ts';

const INDENT = '  ';

/**
 * Formats a program: two spaces per block, one statement per line, no redundant parentheses.
 * Comments are kept. A comment inside a statement moves to the end of its line, or into the block
 * that follows. At most one empty line is kept between statements.
 *
 * @throws {ParseError} when the text has syntax errors
 */
export function format(
  definition: LanguageDefinition,
  text: string,
  options: ParseOptions = {},
): string {
  const { program, comments } = parseStrict(definition, text, options);
  return new Printer(definition, new CommentQueue(text, comments)).program(program);
}

/** Prints a syntax tree, without comments. Parsing the result gives an equal tree. */
export function formatTree(definition: LanguageDefinition, program: Program): string {
  return new Printer(definition, undefined).program(program);
}

class Printer {
  readonly #definition: LanguageDefinition;
  readonly #queue: CommentQueue | undefined;
  readonly #expressions: ExpressionPrinter;

  constructor(definition: LanguageDefinition, queue: CommentQueue | undefined) {
    this.#definition = definition;
    this.#queue = queue;
    this.#expressions = new ExpressionPrinter(definition, (block, indent) =>
      this.#block(block, indent),
    );
  }

  program(program: Program): string {
    const lines = this.#lines(program.body, program.span.end, 0);
    return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
  }

  #block({ statements, span }: Block, indent: number): string {
    const { blockOpen, blockClose } = this.#definition.marks;
    // Comments up to the closing mark belong to this block.
    const lines = this.#lines(statements, span.end - 1, indent + 1);
    if (lines.length === 0) return `${blockOpen}${isWord(blockOpen) ? ' ' : ''}${blockClose}`;
    return [blockOpen, ...lines, `${INDENT.repeat(indent)}${blockClose}`].join('\n');
  }

  /** The lines of a list of statements and the comments around them, up to `end`. */
  #lines(items: readonly TopLevel[], end: number, indent: number): readonly string[] {
    const margin = INDENT.repeat(indent);
    const lines: string[] = [];
    let last: number | undefined;
    const own = (text: string, start: number, stop: number): void => {
      if (last !== undefined && this.#queue?.emptyLineBetween(last, start)) lines.push('');
      lines.push(`${margin}${text}`);
      last = Math.max(last ?? 0, stop);
    };
    const ownComment = ({ text, span }: Comment): void => own(text.trimEnd(), span.start, span.end);
    const commentsBefore = (offset: number): void => {
      for (let one = this.#queue?.takeBefore(offset); one; one = this.#queue?.takeBefore(offset)) {
        ownComment(one);
      }
    };

    items.forEach((item, index) => {
      commentsBefore(item.span.start);
      own(this.#item(item, indent), item.span.start, item.span.end);
      const limit = items[index + 1]?.span.start ?? end;
      this.#trail(lines, item.span.end, limit, ownComment, (stop) => {
        last = Math.max(last ?? 0, stop);
      });
    });
    commentsBefore(end);
    return lines;
  }

  /** Appends the comments inside a statement, and those after it on its last line, to that line. */
  #trail(
    lines: string[],
    end: number,
    limit: number,
    ownComment: (comment: Comment) => void,
    reached: (stop: number) => void,
  ): void {
    const { line } = this.#definition.comments;
    const take = () => this.#queue?.takeBefore(end) ?? this.#queue?.takeOnLineOf(end, limit);
    let open = true;
    for (let comment = take(); comment !== undefined; comment = take()) {
      if (open) lines.push(`${lines.pop()} ${comment.text.trimEnd()}`);
      else ownComment(comment);
      reached(comment.span.end);
      // Nothing can follow a line comment or a comment that spans lines.
      const endsLine = line !== undefined && comment.text.startsWith(line);
      if (endsLine || comment.text.includes('\n')) open = false;
    }
  }

  #item(item: TopLevel, indent: number): string {
    const { keywords, marks } = this.#definition;
    const print = this.#expressions;
    switch (item.kind) {
      case 'UseDeclaration': {
        const alias = item.alias === undefined ? '' : ` ${keywords.as} ${item.alias.text}`;
        return `${keywords.use} ${this.#packageName(item.packageName)}${alias}`;
      }
      case 'FunctionDeclaration': {
        const head = `${item.name.text}${print.signature(item.parameters, item.result)}`;
        return `${keywords.function} ${head} ${this.#block(item.body, indent)}`;
      }
      case 'LetStatement': {
        const head = `${keywords.let} ${item.name.text}${print.annotation(item.annotation)}`;
        return `${head} ${marks.assign} ${print.expression(item.value, indent)}`;
      }
      case 'AssignStatement':
        return `${item.target.text} ${marks.assign} ${print.expression(item.value, indent)}`;
      case 'CallStatement':
        return print.expression(item.call, indent);
      case 'IfStatement': {
        const branches = item.branches.map(
          ({ condition, body }) =>
            `${keywords.if} ${print.expression(condition, indent)} ${this.#block(body, indent)}`,
        );
        if (item.otherwise !== undefined) branches.push(this.#block(item.otherwise, indent));
        return branches.join(` ${keywords.else} `);
      }
      case 'WhileStatement': {
        const condition = print.expression(item.condition, indent);
        return `${keywords.while} ${condition} ${this.#block(item.body, indent)}`;
      }
      case 'ForStatement': {
        const from = print.expression(item.from, indent);
        const to = print.expression(item.to, indent);
        const head = `${keywords.for} ${item.variable.text} ${keywords.from} ${from} ${keywords.to} ${to}`;
        return `${head} ${this.#block(item.body, indent)}`;
      }
      case 'BreakStatement':
        return keywords.break;
      case 'ContinueStatement':
        return keywords.continue;
      case 'ReturnStatement':
        return item.value === undefined
          ? keywords.return
          : `${keywords.return} ${print.expression(item.value, indent)}`;
      case 'ErrorStatement':
        throw new TypeError('A tree with syntax errors cannot be formatted.');
    }
  }

  #packageName(name: string): string {
    const { keywords, operators, marks } = this.#definition;
    const taken = [
      ...Object.values(keywords),
      ...Object.values(marks),
      ...operators.map(({ symbol }) => symbol),
    ];
    const dotted = name.split('.').every((part) => isWord(part) && !taken.includes(part));
    return dotted ? name : encodeString(name);
  }
}
