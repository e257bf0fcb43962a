import {
  EOF,
  type IParserErrorMessageProvider,
  type IToken,
  type TokenType,
  tokenLabel,
  tokenMatcher,
} from 'chevrotain';

/** What each rule that can fail is looking for, in words. */
const WANTED: Readonly<Record<string, string>> = {
  program: 'a statement',
  statement: 'a statement',
  nameStatement: 'an assignment or a call',
  primary: 'a value',
  typeNode: 'a type',
  useDeclaration: 'the name of a package',
};

/**
 * The parser's complaints in plain words, with the definition's own spellings.
 *
 * @param onComplaint - called once for each, before it is made
 */
export function parserMessages(onComplaint: () => void): IParserErrorMessageProvider {
  const say = (wanted: string, token: IToken | undefined): string => {
    onComplaint();
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
  if (token === undefined || tokenMatcher(token, EOF)) return 'the end of the text';
  const image = token.image.length > 40 ? `${token.image.slice(0, 37)}...` : token.image;
  return `'${image}'`;
}
