/**
 * What a machine that sends files says on standard error: notes of what it leaves out, its tar's own words, and how it
 * ended.
 */
import type { PathBase, Reason } from "./fetchScript.js";

export interface FetchNote {
  readonly reason: Reason;
  /** The pattern, or the name of the file as it was matched. */
  readonly name: string;
  /** What the machine's tar said of it; "" if the reason says it all. */
  readonly words: string;
}

export interface FetchVerdict {
  readonly kind: "done" | "fail";
  readonly why: string;
}

/** Characters that are kept: a folder of a million closed files must not fill the memory. */
const KEPT = 262_144;
/** Characters at the end in which a verdict is looked for. */
const TAIL = 256;

export class FetchNotes {
  /** Resolves when the machine has told how it ended. */
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

  /** What the machine said beside all that, for messages. */
  get words(): string {
    return this.#split().words.join("; ");
  }

  list(): FetchNote[] {
    const { notes, words } = this.#split();
    const told: FetchNote[] = words.map((line) => ({ reason: "tar", name: "", words: line }));
    // A tar that failed has said of which file, and why.
    return [...notes.filter(({ reason }) => reason !== "tar" || told.length === 0), ...told];
  }

  #split(): { notes: FetchNote[]; words: string[] } {
    const pattern = new RegExp(`bl-${this.nonce} (\\w+) (\\w+) ([\\s\\S]*?) bl-${this.nonce}\\n`, "g");
    const notes: FetchNote[] = [];
    const rest = this.#text.replace(pattern, (_, reason: string, origin: string, name: string) => {
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

/** The name of a file as an operator knows it: matches begin with a dot, so that none is taken for an option. */
function fileName(name: string, origin: PathBase): string {
  return name.startsWith("./") ? name.slice(origin === "absolute" ? 1 : 2) : name;
}
