import {
  EOF,
  type IParserErrorMessageProvider,
  type IToken,
  type TokenType,
  tokenLabel,
  tokenMatcher,
} from 'chevrotain';

/** What each rule expects, for messages. */
const WANTED: Readonly<Record<string, string>> = {
  program: 'a statement',
  statement: 'a statement',
  nameStatement: 'an assignment or a call',
  primary: 'a value',
  typeNode: 'a type',
  useDeclaration: 'a package name',
};

/**
 * Error messages of the parser, with the spellings of the definition.
 *
 * @param onError - called before each message is built
 */
export function parserMessages(onError: () => void): IParserErrorMessageProvider {
  const say = (wanted: string, token: IToken | undefined): string => {
    onError();
    return `expected ${wanted}, found ${found(token)}`;
  };
  return {
    buildMismatchTokenMessage: ({ expected, actual }) =>
      say(expected === EOF ? 'a statement' : label(expected), actual),
    buildNotAllInputParsedMessage: ({ firstRedundant }) => say('a statement', firstRedundant),
    buildNoViableAltMessage: ({ actual, ruleName }) => say(WANTED[ruleName] ?? ruleName, actual[0]),
    buildEarlyExitMessage: ({ actual, ruleName }) => say(WANTED[ruleName] ?? ruleName, actual[0]),
  };
}

function label(type: TokenType): string {
  return tokenLabel(type);
}

function found(token: IToken | undefined): string {
  if (token === undefined || tokenMatcher(token, EOF)) return 'end of input';
  const image = token.image.length > 40 ? `${token.image.slice(0, 37)}...` : token.image;
  return `'${image}'`;
}
