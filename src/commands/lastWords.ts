/** What a command says after the error that ended it: the reader wants the cause first. */
const words: string[] = [];

export function sayLast(sentence: string): void {
  words.push(sentence);
}

/** Returns what is to be said, once. */
export function takeLastWords(): string[] {
  return words.splice(0);
}
