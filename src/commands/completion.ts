import { basename } from "node:path";
import type { Argv } from "yargs";

import { complete, FILES, type Candidate } from "./complete.js";
import type { CommandLine } from "./commandWords.js";
import { SCRIPTS, SHELLS, type Shell } from "./completionScripts.js";
import { ENVIRONMENT } from "./environment.js";
import { EXIT } from "./exitCodes.js";
import { print, printJson } from "./output.js";

export const command = "completion [shell]";
export const describe = "Print a script that makes bash, zsh or fish complete commands, options, runs and files";

export function builder(yargs: Argv) {
  return yargs
    .positional("shell", { choices: SHELLS, describe: "Shell that will read the script (default: the one in $SHELL)" })
    .example("$0 completion bash >>~/.bashrc", "For bash")
    .example("$0 completion zsh >>~/.zshrc", "For zsh")
    .example("$0 completion fish >~/.config/fish/completions/bootlevel.fish", "For fish");
}

export async function handler(options: { readonly shell?: Shell; readonly json: boolean }): Promise<number> {
  const login = basename(ENVIRONMENT.env["SHELL"] ?? "");
  const shell = options.shell ?? SHELLS.find((one) => one === login) ?? "bash";
  const script = SCRIPTS[shell];
  if (options.json) printJson("completion", { shell, script });
  else print(script.trimEnd());
  return EXIT.fine;
}

/**
 * Answers a shell's script: `--complete SHELL WORD…`, the last word being the one at the cursor. Without a shell
 * (`--get-yargs-completions`) the first word is the program's name.
 * @returns false if the words are no such question
 */
export async function answerShell(commands: readonly CommandLine[], words: readonly string[]): Promise<boolean> {
  const [question, asker, ...rest] = words;
  if (question !== "--complete" && question !== "--get-yargs-completions") return false;
  const found = await complete(commands, rest.slice(0, -1), rest.at(-1) ?? "");
  for (const candidate of found) print(asLine(candidate, question === "--complete" ? (asker ?? "") : ""));
  return true;
}

/** Zsh and fish show what a candidate means. */
function asLine({ word, describe: meaning }: Candidate, shell: string): string {
  if (word === FILES) return word;
  if (shell === "zsh") {
    const escaped = word.replaceAll(":", "\\:");
    return meaning === "" ? escaped : `${escaped}:${meaning}`;
  }
  return shell === "fish" && meaning !== "" ? `${word}\t${meaning}` : word;
}
