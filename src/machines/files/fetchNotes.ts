/** Parses standard error of a fetch script: notes on skipped files, messages of tar, and the verdict. */
import { afterGreeting, GREETING } from "../shell/channelScript.js";
import type { PathBase, Reason } from "./fetchScript.js";

export interface FetchNote {
  readonly reason: Reason;
  /** The pattern, or the file name as matched. */
  readonly name: string;
  /** The machine's tar message; "" if the reason is enough. */
  readonly words: string;
}

export interface FetchVerdict {
  readonly kind: "done" | "fail";
  readonly why: string;
}

/** How many characters are kept: a folder with a million unreadable files must not exhaust memory. */
const KEPT = 262_144;
/** How many notes, and how many lines of the machine's tools, are kept of those. */
const MOST_NOTES = 1_000;
/** The maximum length of the machine's words in a message, in characters. */
const LONGEST_WORDS = 2_000;
/** Reason, origin and file name of a note. */
const NOTE = /^ (\w+) (\w+) ([\s\S]*)$/;
const GREETED = `\n${GREETING}\n`;

/** How many trailing characters are searched for a verdict. */
const TAIL = 256;

export class FetchNotes {
  /** Resolves when the verdict has arrived. */
  readonly verdict: Promise<FetchVerdict>;
  #text = "";
  #tail = "";
  #greeted = false;
  #tell: (verdict: FetchVerdict) => void = () => undefined;
  readonly #verdictLine: RegExp;

  constructor(private readonly nonce: string) {
    this.#verdictLine = new RegExp(`\\nbl-(done|fail) ${nonce} ([^\\n]*)\\n`);
    this.verdict = new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  push(chunk: Buffer): void {
    const text = chunk.toString("utf8");
    this.#keep(text);
    this.#tail = (this.#tail + text).slice(-Math.max(TAIL, text.length + TAIL));
    const [, kind, why] = this.#verdictLine.exec(this.#tail) ?? [];
    if (kind !== undefined) this.#tell({ kind: kind as FetchVerdict["kind"], why: why ?? "" });
  }

  /** Keeps the beginning of what comes after the greeting; before it, only what may be the beginning of one. */
  #keep(text: string): void {
    if (!this.#greeted) {
      const noise = this.#text + text;
      this.#greeted = noise.includes(GREETED);
      this.#text = this.#greeted ? afterGreeting(noise) : noise.slice(-KEPT);
    } else if (this.#text.length < KEPT) this.#text += text;
  }

  /** Other output of the machine, for messages. */
  get words(): string {
    return this.#split().words.join("; ").slice(0, LONGEST_WORDS);
  }

  list(): FetchNote[] {
    const { notes, words } = this.#split();
    const tarNotes: FetchNote[] = words.map((line) => ({ reason: "tar", name: "", words: line }));
    // tar's own message already names the file and the reason.
    return [...notes.filter(({ reason }) => reason !== "tar" || tarNotes.length === 0), ...tarNotes];
  }

  #split(): { notes: FetchNote[]; words: string[] } {
    const mark = `bl-${this.nonce}`;
    const notes: FetchNote[] = [];
    let rest = "";
    let at = 0;
    // Linear whatever the machine sends: each mark is looked at once.
    for (let from = this.#text.indexOf(`${mark} `); from >= 0; from = this.#text.indexOf(`${mark} `, at)) {
      const end = this.#text.indexOf(` ${mark}\n`, from + mark.length);
      if (end < 0 || notes.length >= MOST_NOTES) break;
      const [, reason, origin, name] = NOTE.exec(this.#text.slice(from + mark.length, end)) ?? [];
      rest += this.#text.slice(at, from);
      at = end + mark.length + 2;
      if (isReason(reason)) notes.push({ reason, name: fileName(name ?? "", origin as PathBase), words: "" });
    }
    const lines = (rest + this.#text.slice(at)).split("\n").map((line) => line.trim());
    const words = lines.filter(
      (line) =>
        line !== "" && !line.includes(this.nonce) && !/Exiting with failure status|Error is not recoverable/.test(line),
    );
    return { notes, words: words.slice(0, MOST_NOTES) };
  }
}

const REASONS: readonly string[] = ["none", "dangling", "special", "unreadable", "base", "tar"] satisfies Reason[];

function isReason(word: string | undefined): word is Reason {
  return word !== undefined && REASONS.includes(word);
}

/** The file name as the operator knows it. Matches start with `./` so that none looks like an option. */
function fileName(name: string, origin: PathBase): string {
  return name.startsWith("./") ? name.slice(origin === "absolute" ? 1 : 2) : name;
}
