/**
 * The values inside a secret that is a text of its own: the fields of a JSON document, the lines of a key or of
 * settings, the password in a connection string. Programs print them one by one.
 */

/** A shorter value of a document, or line of a text, is too common to be a secret by itself. */
const SHORTEST_MEMBER = 8;
const DIFFERENT_CHARACTERS = 4;
/** Such a value is named as a password, so it may be shorter. */
const SHORTEST_PASSWORD = 5;
/** A longer secret is found by its pieces. Its values are not told apart. */
const LONGEST_TEXT = 256 * 1024;
/** JSON in JSON in JSON … */
const DEEPEST = 4;

const PASSWORD_IN_URL = /[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:([^\s/@]+)@/gi;
const NAMED_PASSWORD =
  /(?:^|[;,&?\s{])["']?[a-z_.-]*(?:password|passwd|passphrase|pwd|secret|token|credential|(?:access|account|api|private|shared)[_-]?(?:access)?[_-]?key)[a-z_.-]*["']?\s*[=:]\s*("[^"]*"|'[^']*'|[^;,&\s}]+)/gi;
const SETTING = /^\s*(?:export\s+)?["']?[A-Za-z_][\w.-]*["']?\s*[=:]\s*(.+)$/;

/** The values inside a secret, without the secret itself. */
export function membersOf(secret: string): Set<string> {
  const members = new Set<string>();
  if (secret.length > LONGEST_TEXT) return members;
  addMembers(secret, members, 0);
  members.delete(secret);
  return members;
}

function addMembers(text: string, members: Set<string>, depth: number): void {
  if (depth > DEEPEST) return;
  const fields = jsonStrings(text);
  for (const field of fields) {
    if (field.length >= SHORTEST_MEMBER) members.add(field);
    addMembers(field, members, depth + 1);
  }
  if (fields.length === 0) addLines(text, members);
  addPasswords(text, members);
}

function addLines(text: string, members: Set<string>): void {
  const lines = text.split(/\r?\n/);
  if (lines.length > 1) members.add(text.trim());
  for (const line of lines) {
    if (lines.length > 1 && isOwnSecret(line.trim())) members.add(line.trim());
    const value = unquoted(SETTING.exec(line)?.[1] ?? "");
    // Not "https://…": its value would be the rest of the address.
    if (value.length >= SHORTEST_MEMBER && !value.startsWith("//")) members.add(value);
  }
}

/** Not so short, or so plain (a ruler of dashes), that it is common text. */
function isOwnSecret(line: string): boolean {
  return line.length >= SHORTEST_MEMBER && new Set(line).size >= DIFFERENT_CHARACTERS;
}

function addPasswords(text: string, members: Set<string>): void {
  for (const pattern of [PASSWORD_IN_URL, NAMED_PASSWORD])
    for (const [, found = ""] of text.matchAll(pattern)) {
      const value = unquoted(found);
      if (value.length >= SHORTEST_PASSWORD) members.add(value).add(percentDecoded(value));
    }
}

/** Every string in a JSON object or list; none if the text is no such document. */
function jsonStrings(text: string): string[] {
  if (!/^\s*[[{]/.test(text)) return [];
  try {
    return stringsIn(JSON.parse(text) as unknown);
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return [];
    throw error;
  }
}

function stringsIn(value: unknown): string[] {
  if (typeof value === "string") return [value];
  return value === null || typeof value !== "object" ? [] : Object.values(value).flatMap(stringsIn);
}

function unquoted(value: string): string {
  const text = value.trim();
  return /^(["']).*\1$/.test(text) ? text.slice(1, -1) : text;
}

function percentDecoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch (error) {
    if (error instanceof URIError) return value;
    throw error;
  }
}
