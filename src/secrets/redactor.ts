/**
 * Removes secrets from everything that is printed or logged, in whatever form programs print them. A text is read in
 * several ways: as it is, with its escapes decoded level by level, and as a skeleton without blanks and quotes. In
 * each reading the forms of all secrets are searched for at once. Time and memory are linear in the text.
 */
import type { Found } from "./automaton.js";
import { decodeEscapes } from "./escapes.js";
import { ESCAPE_LEVELS, formsOf, LONGEST_FORM } from "./forms.js";
import { LongForms, WINDOW } from "./longForms.js";
import { membersOf } from "./members.js";
import { Patterns } from "./patterns.js";
import { RedactingStream, type Secrets } from "./redactingStream.js";
import { skeletonOf, skeletonView } from "./skeleton.js";
import { beginOf, endOf, plainView, type View } from "./view.js";

export { REDACTED, RedactingStream } from "./redactingStream.js";

/** In characters. */
const SHORT_TEXT = 4096;
/** A value that contains a shorter secret need not be secret: "8080" contains "80". */
const TELLING_LENGTH = 8;
/** A long value is searched in overlapping pieces, in characters. */
const [PIECE, OVERLAP] = [64 * 1024, 2 * 1024];
/** A shorter skeleton would be found in harmless text. */
const SHORTEST_SKELETON = 16;

/** Keys of events, failures and errors whose values the plan's author or bootlevel chose. */
const OWN_WORDS: ReadonlySet<string> = new Set([
  ...["type", "kind", "name", "code", "verb", "stage", "step", "state", "states", "outcome", "trouble", "cause"],
  ...["run", "plan", "level", "levels", "levelName", "service", "services", "spec", "cloud"],
]);

export class Redactor {
  private readonly exact = new Patterns();
  private readonly skeletons = new Patterns();
  private readonly long = new LongForms();
  private readonly known = new Set<string>();
  /** The length of the longest secret, in characters. */
  longest = 0;

  constructor(secrets: Iterable<string> = []) {
    this.add(secrets);
  }

  /** Adds secrets. Empty ones are ignored. */
  add(secrets: Iterable<string>): void {
    for (const secret of secrets) {
      if (this.known.has(secret)) continue;
      this.known.add(secret);
      this.longest = Math.max(this.longest, secret.length);
      for (const member of [secret, ...membersOf(secret)]) for (const form of formsOf(member)) this.addForm(form);
    }
  }

  /** The text with every secret replaced by `[secret]`. Overlapping secrets become one. */
  redact(text: string): string {
    if (!this.mayContain(text.length)) return text;
    // Most texts are short, and hold no secret.
    if (text.length <= SHORT_TEXT && this.search(Buffer.from(text, "utf8"), true).spans.length === 0) return text;
    const stream = new RedactingStream(this);
    return stream.push(text) + stream.end();
  }

  /** Whether it knows no secret. */
  get isEmpty(): boolean {
    return !this.mayContain(Infinity);
  }

  /** Whether a value contains a secret that is long enough not to be there by chance, in any form. */
  isIn(value: string): boolean {
    if (!this.mayContain(value.length)) return false;
    for (let at = 0; at < value.length; at += PIECE - OVERLAP) {
      const { spans } = this.search(Buffer.from(value.slice(at, at + PIECE), "utf8"), true);
      if (spans.some(([begin, end]) => end - begin >= TELLING_LENGTH)) return true;
    }
    return false;
  }

  /**
   * Redacts every string in plain data, except bootlevel's own words and the plan's names: an event of another type, or
   * of a service that nobody knows, would be of no use. A secret of one letter is in most of them.
   */
  redactData<T>(value: T): T {
    if (!this.mayContain(Infinity)) return value;
    if (typeof value === "string") return this.redact(value) as T;
    if (Array.isArray(value)) return value.map((item: unknown) => this.redactData(item)) as T;
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, item]) => [key, OWN_WORDS.has(key) ? item : this.redactData<unknown>(item)]),
    ) as T;
  }

  /** Whether a text of so many characters is long enough to contain a secret. */
  mayContain(characters: number): boolean {
    return 3 * characters >= Math.min(this.exact.shortest, this.skeletons.shortest);
  }

  /** Searches a text in all readings. @param isWhole whether the text ends here */
  search(bytes: Uint8Array, isWhole: boolean): Secrets {
    const spans: [number, number][] = [];
    let open = bytes.length;
    const read = (view: View, scan: (bytes: Uint8Array, found: Found) => number): void => {
      const held = scan(view.bytes, (begin, end) => spans.push([beginOf(view, begin), endOf(view, end - 1)]));
      open = Math.min(open, view.unfinished);
      if (held > 0) open = Math.min(open, beginOf(view, Math.max(0, view.bytes.length - held)));
    };
    let view: View = plainView(bytes);
    for (let level = 0; ; level += 1) {
      read(view, (text, found) => this.exact.scan(text, found));
      const decoded = level < ESCAPE_LEVELS ? decodeEscapes(view, isWhole) : null;
      if (decoded === null) break;
      view = decoded;
    }
    if (isWhole && view.bytes.length < SHORTEST_SKELETON) return { spans, open };
    const skeleton = skeletonView(view);
    read(skeleton, (text, found) => this.skeletons.scan(text, found));
    // Blanks between two pieces of one value belong to it.
    let last = -1;
    const joined =
      (found: Found): Found =>
      (begin, end) => {
        if (begin === last) spans.push([endOf(skeleton, begin - 1), beginOf(skeleton, begin)]);
        last = end;
        found(begin, end);
      };
    if (!this.long.isEmpty) read(skeleton, (text, found) => this.long.scan(text, joined(found)));
    return { spans, open };
  }

  private addForm(form: Uint8Array): void {
    if (form.length <= LONGEST_FORM) this.exact.add(form);
    const skeleton = skeletonOf(form);
    if (form.length > LONGEST_FORM && skeleton.length >= WINDOW) {
      const beginning = this.long.add(skeleton);
      if (beginning !== null) this.skeletons.add(beginning);
    } else if (skeleton.length >= SHORTEST_SKELETON) this.skeletons.add(skeleton);
    // A long value of blanks and quotes has no skeleton.
    else if (form.length > LONGEST_FORM) this.exact.add(form.subarray(0, LONGEST_FORM));
  }
}
