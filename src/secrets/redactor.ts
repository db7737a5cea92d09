/**
 * Keeps secrets out of everything that is printed or logged: by value, in the forms in which programs print values (as it is, base64 at any
 * offset, URL-encoded, JSON-escaped, each long line of a text), also when a value is cut in two by the chunks of a stream.
 */
export const REDACTED = "[secret]";

/** A line of a secret text (a private key, say) is a secret itself from this length on; shorter ones are too common to take out. */
const SECRET_LINE_LENGTH = 8;
/** A base64 fragment shorter than this would take out innocent text. */
const FRAGMENT_LENGTH = 6;

export class Redactor {
  private forms: string[] = [];
  private pattern: RegExp | null = null;

  constructor(secrets: Iterable<string> = []) {
    this.add(secrets);
  }

  /** Takes more secrets in; empty ones are passed over. */
  add(secrets: Iterable<string>): void {
    const forms = new Set(this.forms);
    for (const secret of secrets) for (const form of printedForms(secret)) forms.add(form);
    // The longest first: a secret that holds another one must go as a whole.
    this.forms = [...forms].sort((a, b) => b.length - a.length);
    this.pattern = this.forms.length === 0 ? null : new RegExp(this.forms.map(escapeRegExp).join("|"), "g");
  }

  /** The text with every secret replaced by `[secret]`. */
  redact(text: string): string {
    return this.pattern === null ? text : text.replace(this.pattern, REDACTED);
  }

  /** Redacts every string in a value that is made of plain data. */
  redactData<T>(value: T): T {
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
    let cut = text.length;
    for (const form of this.forms) cut = Math.min(cut, text.length - overlap(text, form));
    if (cut === text.length || this.pattern === null) return cut;
    for (const match of text.matchAll(this.pattern)) {
      if (match.index < cut && match.index + match[0].length > cut) return match.index;
    }
    return cut;
  }
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

/** How many characters at the end of `text` are the beginning (not the whole) of `form`. */
function overlap(text: string, form: string): number {
  const first = form[0] as string;
  let start = text.indexOf(first, Math.max(0, text.length - form.length + 1));
  while (start !== -1) {
    if (form.startsWith(text.slice(start))) return text.length - start;
    start = text.indexOf(first, start + 1);
  }
  return 0;
}

function* printedForms(secret: string): Generator<string> {
  if (secret === "") return;
  yield secret;
  const lines = secret.split(/\r?\n/);
  if (lines.length > 1) yield* lines.map((line) => line.trim()).filter((line) => line.length >= SECRET_LINE_LENGTH);
  if (lines.length > 1) yield secret.trim();
  yield* [encodeURIComponent(secret.toWellFormed()), JSON.stringify(secret).slice(1, -1), secret.replaceAll("'", "'\\''"), Buffer.from(secret).toString("hex")];
  yield* base64Forms(Buffer.from(secret));
}

/**
 * Base64 of a text that holds the secret: three bytes become four characters, so the secret looks different at each of the three offsets,
 * and the characters at both ends mix with its neighbours.
 */
function* base64Forms(secret: Buffer): Generator<string> {
  for (const offset of [0, 1, 2]) {
    const whole = Buffer.concat([Buffer.alloc(offset), secret]).toString("base64").replace(/=+$/, "");
    const first = [0, 2, 3][offset] as number;
    const exact = (offset + secret.length) % 3 === 0;
    const inner = whole.slice(first, exact ? undefined : -1);
    if (inner.length < FRAGMENT_LENGTH) continue;
    yield inner;
    yield inner.replaceAll("+", "-").replaceAll("/", "_");
  }
  yield secret.toString("base64");
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
}
