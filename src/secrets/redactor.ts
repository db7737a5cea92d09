/**
 * Removes secrets from everything that is printed or logged. Matches each value in the forms in which programs print
 * it: unchanged, base64 at any offset, URL-encoded, JSON-escaped, and each long line of a text. A value that is split
 * between two chunks of a stream is found too.
 */
import { bytesOfText, isText } from "../text/surrogateEscape.js";

export const REDACTED = "[secret]";

/**
 * A line of a multi-line secret (such as a private key) is itself a secret from this length on. Shorter lines are too
 * common to redact.
 */
const SECRET_LINE_LENGTH = 8;
/** A form of this length is also matched with line breaks inside: `base64`, mail and terminals break lines. */
const WRAPPED_LENGTH = 16;
/** A shorter base64 fragment would redact harmless text. */
const FRAGMENT_LENGTH = 6;

export class Redactor {
  /** Each printed form of a secret, and its table for `overlap`. */
  private readonly forms = new Map<string, Uint32Array>();
  /** The length of the longest secret, in characters. */
  longest = 0;

  constructor(secrets: Iterable<string> = []) {
    this.add(secrets);
  }

  /** Adds secrets. Empty ones are ignored. */
  add(secrets: Iterable<string>): void {
    for (const secret of secrets) {
      this.longest = Math.max(this.longest, secret.length);
      for (const printed of printedForms(asPrinted(secret))) {
        const form = printed.length < WRAPPED_LENGTH ? printed : printed.replace(/[\r\n]/g, "");
        if (!this.forms.has(form)) this.forms.set(form, borderTable(form));
      }
    }
  }

  /** The text with every secret replaced by `[secret]`. Overlapping secrets become one. */
  redact(text: string): string {
    let shown = "";
    let from = 0;
    for (const [start, end] of this.spans(text)) {
      shown += text.slice(from, start) + REDACTED;
      from = end;
    }
    return shown + text.slice(from);
  }

  /** Redacts every string in plain data. */
  redactData<T>(value: T): T {
    if (this.forms.size === 0) return value;
    if (typeof value === "string") return this.redact(value) as T;
    if (Array.isArray(value)) return value.map((item: unknown) => this.redactData(item)) as T;
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.redactData<unknown>(item)])) as T;
  }

  /**
   * How much of an unfinished text can be shown without showing part of a secret: its end may be the beginning of one.
   * @returns an index into `text`; its length if nothing must be held back.
   */
  safeLength(text: string): number {
    const unbroken = withoutBreaks(text);
    let cut = text.length;
    for (const [form, borders] of this.forms) {
      const searched = form.length < WRAPPED_LENGTH ? asItIs(text) : unbroken;
      const length = overlap(searched.text, form, borders);
      if (length > 0) cut = Math.min(cut, searched.place(searched.text.length - length));
    }
    const across = this.spans(text).find(([start, end]) => start < cut && end > cut);
    return across === undefined ? cut : across[0];
  }

  /** The positions of secrets, in order, without overlaps. A regular expression cannot hold a secret of a megabyte. */
  private spans(text: string): [start: number, end: number][] {
    const unbroken = withoutBreaks(text);
    const found: [number, number][] = [];
    for (const form of this.forms.keys()) {
      const searched = form.length < WRAPPED_LENGTH ? asItIs(text) : unbroken;
      for (let at = searched.text.indexOf(form); at !== -1; at = searched.text.indexOf(form, at + 1)) {
        found.push([searched.place(at), searched.place(at + form.length - 1) + 1]);
      }
    }
    const merged: [number, number][] = [];
    for (const span of found.sort(([a], [b]) => a - b)) {
      const last = merged.at(-1);
      if (last && span[0] < last[1]) last[1] = Math.max(last[1], span[1]);
      else merged.push(span);
    }
    return merged;
  }
}

/** The secret as a UTF-8 decoder would show it, for bytes that are not text. */
function asPrinted(secret: string): string {
  return isText(secret) ? secret : bytesOfText(secret).toString("utf8");
}

/** A text to search, with the index of each of its characters in the displayed text. */
interface Searched {
  readonly text: string;
  place(index: number): number;
}

function asItIs(text: string): Searched {
  return { text, place: (index) => index };
}

function withoutBreaks(text: string): Searched {
  if (!/[\r\n]/.test(text)) return asItIs(text);
  const places = new Uint32Array(text.length);
  let length = 0;
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] !== "\n" && text[at] !== "\r") places[length++] = at;
  }
  return { text: text.replace(/[\r\n]/g, ""), place: (index) => places[index] as number };
}

/** Redacts a stream of text. `push` returns the text that is safe to show so far, `end` the rest. */
export class RedactingStream {
  private held = "";

  constructor(private readonly redactor: Redactor) {}

  push(text: string): string {
    const all = this.held + text;
    const cut = this.redactor.safeLength(all);
    this.held = all.slice(cut);
    return this.redactor.redact(all.slice(0, cut));
  }

  end(): string {
    const rest = this.redactor.redact(this.held);
    this.held = "";
    return rest;
  }
}

/** How many characters at the end of `text` are a proper prefix of `form`. `borders` is the form's table. */
function overlap(text: string, form: string, borders: Uint32Array): number {
  let matched = 0;
  for (let at = Math.max(0, text.length - form.length + 1); at < text.length; at += 1) {
    while (matched > 0 && form[matched] !== text[at]) matched = borders[matched - 1] as number;
    if (form[matched] === text[at]) matched += 1;
    if (matched === form.length) matched = borders[matched - 1] as number;
  }
  return matched;
}

/**
 * The length of the longest border of each prefix of the form (Knuth, Morris, Pratt). It makes the search linear for
 * any text.
 */
function borderTable(form: string): Uint32Array {
  const borders = new Uint32Array(form.length);
  let matched = 0;
  for (let at = 1; at < form.length; at += 1) {
    while (matched > 0 && form[matched] !== form[at]) matched = borders[matched - 1] as number;
    if (form[matched] === form[at]) matched += 1;
    borders[at] = matched;
  }
  return borders;
}

function* printedForms(secret: string): Generator<string> {
  if (secret === "") return;
  yield secret;
  const lines = secret.split(/\r?\n/);
  if (lines.length > 1) yield* lines.map((line) => line.trim()).filter((line) => line.length >= SECRET_LINE_LENGTH);
  if (lines.length > 1) yield secret.trim();
  yield* [
    encodeURIComponent(Buffer.from(secret).toString()),
    JSON.stringify(secret).slice(1, -1),
    secret.replaceAll("'", "'\\''"),
    Buffer.from(secret).toString("hex"),
  ];
  yield* base64Forms(Buffer.from(secret));
}

/**
 * The base64 forms of a text that contains the secret. Three bytes become four characters, so the form differs at each
 * of three offsets, and the characters at both ends also depend on the neighbouring bytes.
 */
function* base64Forms(secret: Buffer): Generator<string> {
  for (const offset of [0, 1, 2]) {
    const whole = Buffer.concat([Buffer.alloc(offset), secret])
      .toString("base64")
      .replace(/=+$/, "");
    const first = [0, 2, 3][offset] as number;
    const exact = (offset + secret.length) % 3 === 0;
    const inner = whole.slice(first, exact ? undefined : -1);
    if (inner.length < FRAGMENT_LENGTH) continue;
    yield inner;
    yield inner.replaceAll("+", "-").replaceAll("/", "_");
  }
  yield secret.toString("base64");
}
