/**
 * Keeps secrets out of everything that is printed or logged: by value, in the forms in which programs print values (as
 * it is, base64 at any offset, URL-encoded, JSON-escaped, each long line of a text), also when a value is cut in two by
 * the chunks of a stream.
 */
import { bytesOfText, isText } from "../text/surrogateEscape.js";

export const REDACTED = "[secret]";

/**
 * A line of a secret text (a private key, say) is a secret itself from this length on; shorter ones are too common to
 * take out.
 */
const SECRET_LINE_LENGTH = 8;
/**
 * A form of this length is found with line breaks in it as well: `base64` breaks lines, and so do mail and terminals.
 */
const WRAPPED_LENGTH = 16;
/** A base64 fragment shorter than this would take out innocent text. */
const FRAGMENT_LENGTH = 6;

export class Redactor {
  /** Each printed form of a secret, with its table for `overlap`. */
  private readonly forms = new Map<string, Uint32Array>();

  constructor(secrets: Iterable<string> = []) {
    this.add(secrets);
  }

  /** Takes more secrets in; empty ones are passed over. */
  add(secrets: Iterable<string>): void {
    for (const secret of secrets)
      for (const printed of printedForms(asPrinted(secret))) {
        const form = printed.length < WRAPPED_LENGTH ? printed : printed.replace(/[\r\n]/g, "");
        if (!this.forms.has(form)) this.forms.set(form, borderTable(form));
      }
  }

  /** The text with every secret replaced by `[secret]`; secrets that overlap go as one. */
  redact(text: string): string {
    let shown = "";
    let from = 0;
    for (const [start, end] of this.spans(text)) {
      shown += text.slice(from, start) + REDACTED;
      from = end;
    }
    return shown + text.slice(from);
  }

  /** Redacts every string in a value that is made of plain data. */
  redactData<T>(value: T): T {
    if (this.forms.size === 0) return value;
    if (typeof value === "string") return this.redact(value) as T;
    if (Array.isArray(value)) return value.map((item: unknown) => this.redactData(item)) as T;
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.redactData<unknown>(item)])) as T;
  }

  /**
   * Where a text that goes on must be cut so that no secret is shown in part: what follows may be the beginning of one.
   * @returns an index into `text`; its length when nothing must be held back.
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

  /** Where secrets stand, in order, without overlaps. A regular expression would not take secrets of a megabyte. */
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

/** Bytes that are no text stand in a log as what a reader of UTF-8 makes of them. */
function asPrinted(secret: string): string {
  return isText(secret) ? secret : bytesOfText(secret).toString("utf8");
}

/** A text to search in, and where each of its characters stands in the one that is shown. */
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

/** Redacts a stream of text: `push` returns what is safe to show by now, `end` the rest. */
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

/**
 * How many characters at the end of `text` are the beginning (not the whole) of `form`; `borders` is the form's table.
 */
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
 * For each beginning of the form, how much of its end is a beginning again (Knuth, Morris, Pratt): the search takes
 * linear time for any text.
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
 * Base64 of a text that holds the secret: three bytes become four characters, so the secret looks different at each of
 * the three offsets, and the characters at both ends mix with its neighbours.
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
