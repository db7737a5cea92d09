/**
 * Tracks how text in a POSIX shell line is quoted (Shell Command Language, 2.2 Quoting, 2.6 Word Expansions, 2.7.4
 * Here-Document). It never decides what is executed: if it is wrong, a value is split at blanks but not executed.
 */

/**
 * The quoting at a position: inside "single" or "double" quotes, "plain" text where quotes can be opened, or "verbatim"
 * text where quotes are ordinary characters.
 */
export type Quoting = "plain" | "double" | "single" | "verbatim";

type Context =
  | { readonly kind: "plain" | "backtick" | "double" | "single" | "brace" | "arithmetic" | "comment" }
  | { readonly kind: "substitution"; depth: number }
  | { readonly kind: "document"; readonly end: string; readonly tabs: boolean; line: string };

const DOCUMENT = /^<<(-?)[ \t]*(?:'([^'\n]*)'|"([^"\n]*)"|\\?([A-Za-z0-9_.-]+))/;

export class ShellQuoting {
  private readonly stack: Context[] = [{ kind: "plain" }];
  private readonly awaited: { end: string; tabs: boolean }[] = [];
  /** The previous character: # starts a comment only at the start of a word. */
  private previous = " ";

  /** Reads the next part of the line. */
  read(text: string): void {
    for (let at = 0; at < text.length;) {
      const step = this.step(text, at);
      this.previous = text[at + step - 1] ?? " ";
      at += step;
    }
  }

  /** A value is here: it counts as part of a word. */
  readValue(): void {
    const top = this.top();
    if (top.kind === "document") top.line += "x";
    this.previous = "x";
  }

  get quoting(): Quoting {
    const top = this.top();
    switch (top.kind) {
      case "single":
      case "double":
        return top.kind;
      case "document":
      case "arithmetic":
      case "comment":
        return "verbatim";
      case "brace":
        return this.stack.some((context) => context.kind === "double" || context.kind === "document")
          ? "verbatim"
          : "plain";
      case "plain":
      case "backtick":
      case "substitution":
        return "plain";
    }
  }

  private top(): Context {
    return this.stack.at(-1) as Context;
  }

  /** Reads the token at `at`. @returns its length in characters */
  private step(text: string, at: number): number {
    const top = this.top();
    const character = text[at] as string;
    if (top.kind === "single") return this.popAt(character, "'");
    if (top.kind === "comment") return character === "\n" ? this.endComment() : 1;
    if (top.kind === "document") return this.readDocument(top, text, at);
    if (character === "\\") return 2;
    const opened = this.openExpansion(text, at);
    if (opened > 0) return opened;
    if (top.kind === "double") return this.popAt(character, '"');
    if (top.kind === "arithmetic") return text.startsWith("))", at) ? this.pop(2) : 1;
    return this.stepPlain(top, text, at);
  }

  private stepPlain(top: Context, text: string, at: number): number {
    const character = text[at] as string;
    if (character === "'" && this.quoting === "plain") return this.push({ kind: "single" }, 1);
    if (character === '"') return this.push({ kind: "double" }, 1);
    if (top.kind === "brace") return this.popAt(character, "}");
    if (character === "#" && /[\s;&|()]/.test(this.previous)) return this.push({ kind: "comment" }, 1);
    if (character === "\n") return this.endLine();
    if (top.kind === "substitution" && character === "(") top.depth += 1;
    if (top.kind === "substitution" && character === ")") {
      if (top.depth === 0) return this.pop(1);
      top.depth -= 1;
    }
    return this.awaitDocument(text, at);
  }

  /** `$(`, `$((`, `${` and backticks start an expansion in plain text, double quotes and here-documents. */
  private openExpansion(text: string, at: number): number {
    if (text.startsWith("$((", at)) return this.push({ kind: "arithmetic" }, 3);
    if (text.startsWith("$(", at)) return this.push({ kind: "substitution", depth: 0 }, 2);
    if (text.startsWith("${", at)) return this.push({ kind: "brace" }, 2);
    if (text[at] !== "`") return 0;
    return this.top().kind === "backtick" ? this.pop(1) : this.push({ kind: "backtick" }, 1);
  }

  private awaitDocument(text: string, at: number): number {
    const found = DOCUMENT.exec(text.slice(at, at + 200));
    if (found === null) return 1;
    this.awaited.push({ tabs: found[1] === "-", end: found[2] ?? found[3] ?? found[4] ?? "" });
    return found[0].length;
  }

  private endLine(): number {
    const next = this.awaited.shift();
    return next === undefined ? 1 : this.push({ kind: "document", ...next, line: "" }, 1);
  }

  private endComment(): number {
    this.stack.pop();
    return this.endLine();
  }

  private readDocument(top: Context & { kind: "document" }, text: string, at: number): number {
    const character = text[at] as string;
    if (character !== "\n") {
      const opened = character === "\\" ? 0 : this.openExpansion(text, at);
      top.line += text.slice(at, at + Math.max(1, opened));
      return Math.max(1, opened);
    }
    const line = top.tabs ? top.line.replace(/^\t+/, "") : top.line;
    top.line = "";
    if (line !== top.end) return 1;
    this.stack.pop();
    return this.endLine();
  }

  private push(context: Context, length: number): number {
    this.stack.push(context);
    return length;
  }

  private pop(length: number): number {
    if (this.stack.length > 1) this.stack.pop();
    return length;
  }

  private popAt(character: string, end: string): number {
    return character === end ? this.pop(1) : 1;
  }
}
