/** The one place where an error that ended a command is printed. */
import { exitCodeOf, isExpected, UsageError } from "./exitCodes.js";
import { printError, printJson } from "./output.js";

/** Prints the error for people, or as the command's document if the call asked for JSON. */
export function reportError(error: unknown, words: readonly string[]): void {
  const { message, remedy, mistakes } = describeError(error);
  if (words.some((word) => word === "--json" || word === "--json=true")) {
    const command = words.find((word) => !word.startsWith("-")) ?? ""; // the command comes first in every call that yargs takes
    printJson(command, { error: { message, ...(remedy === "" ? {} : { remedy }), exitCode: exitCodeOf(error), ...(mistakes ? { mistakes } : {}) } });
    return;
  }
  printError(mistakes ? message : `bootlevel: ${message}`);
  if (remedy !== "") printError(`  ${remedy}`);
  if (!isExpected(error)) printError(`  This is not your mistake. Details follow; please report them.\n\n${(error as Error).stack ?? ""}`);
}

function describeError(error: unknown): { message: string; remedy: string; mistakes: unknown } {
  if (!(error instanceof Error)) return { message: String(error), remedy: "", mistakes: undefined };
  const { remedy, mistakes } = error as { remedy?: unknown; mistakes?: unknown };
  if (error instanceof UsageError) return { message: error.message, remedy: "See: bootlevel --help, or bootlevel <command> --help", mistakes: undefined };
  return { message: error.message, remedy: typeof remedy === "string" ? remedy : "", mistakes };
}
