/** Parses standard error of a fetch script: notes on skipped files, messages of tar, and the verdict. */
import { afterGreeting } from "../shell/channelScript.js";
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
/** How many trailing characters are searched for a verdict. */
const TAIL = 256;

export class FetchNotes {
  /** Resolves when the verdict has arrived. */
  readonly verdict: Promise<FetchVerdict>;
  #text = "";
  #tail = "";
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
    if (this.#text.length < KEPT) this.#text += text;
    this.#tail = (this.#tail + text).slice(-Math.max(TAIL, text.length + TAIL));
    const [, kind, why] = this.#verdictLine.exec(this.#tail) ?? [];
    if (kind !== undefined) this.#tell({ kind: kind as FetchVerdict["kind"], why: why ?? "" });
  }

  /** Other output of the machine, for messages. */
  get words(): string {
    return this.#split().words.join("; ");
  }

  list(): FetchNote[] {
    const { notes, words } = this.#split();
    const tarNotes: FetchNote[] = words.map((line) => ({ reason: "tar", name: "", words: line }));
    // tar's own message already names the file and the reason.
    return [...notes.filter(({ reason }) => reason !== "tar" || tarNotes.length === 0), ...tarNotes];
  }

  #split(): { notes: FetchNote[]; words: string[] } {
    const pattern = new RegExp(`bl-${this.nonce} (\\w+) (\\w+) ([\\s\\S]*?) bl-${this.nonce}\\n`, "g");
    const notes: FetchNote[] = [];
    const rest = afterGreeting(this.#text).replace(pattern, (_, reason: string, origin: string, name: string) => {
      notes.push({ reason: reason as Reason, name: fileName(name, origin as PathBase), words: "" });
      return "";
    });
    const lines = rest.split("\n").map((line) => line.trim());
    return {
      notes,
      words: lines.filter(
        (line) =>
          line !== "" &&
          !line.includes(this.nonce) &&
          !/Exiting with failure status|Error is not recoverable/.test(line),
      ),
    };
  }
}

/** The file name as the operator knows it. Matches start with `./` so that none looks like an option. */
function fileName(name: string, origin: PathBase): string {
  return name.startsWith("./") ? name.slice(origin === "absolute" ? 1 : 2) : name;
}
