/** Prints the error that ended a command. The only place that does. */
import { isBootlevelError } from "../errors/bootlevelError.js";
import { isStorageFailure, storageRemedy } from "../files/storageFailure.js";
import { DEFECT, exitCodeOf, isExpected, MONITOR_EXIT, isUsageError, type UsageError } from "./exitCodes.js";
import { takeLastWords } from "./lastWords.js";
import { print, printError, printJson } from "./output.js";

/**
 * Prints the error as text, as one JSON document with `--json`, or as one line with `--nagios`.
 * @returns the exit code.
 */
export async function reportError(
  error: unknown,
  words: readonly string[],
  commands: readonly string[],
): Promise<number> {
  const { message, code, remedy, mistakes } = await describeError(error);
  const exitCode = asksFor("nagios", words) ? MONITOR_EXIT.UNKNOWN : exitCodeOf(error);
  if (asksFor("nagios", words)) {
    // Nothing else: a monitor reads what goes to standard error as part of the line.
    const { nagiosUnknown } = await import("../display/nagios.js");
    const hint = isExpected(error) ? remedy : "a bug in bootlevel: without --nagios the command shows its details";
    print(nagiosUnknown(hint === "" ? message : `${message} (${hint})`));
    return exitCode;
  } else if (asksFor("json", words)) {
    const command = words.find((word) => commands.includes(word)) ?? words.find((word) => !word.startsWith("-")) ?? "";
    printJson(command, {
      error: { message, code, ...(remedy === "" ? {} : { remedy }), exitCode, ...(mistakes ? { mistakes } : {}) },
    });
    for (const last of takeLastWords()) printError(last);
    return exitCode;
  } else {
    printError(mistakes ? message : `bootlevel: ${message}`);
    if (remedy !== "") printError(`  ${remedy}`);
    for (const words of takeLastWords()) printError(words);
  }
  if (!isExpected(error))
    printError(`  This is a bug in bootlevel. Please report it with these details:\n\n${(error as Error).stack ?? ""}`);
  return exitCode;
}

/** Whether a boolean option is given. Looks at the raw arguments, since the call itself may be malformed. */
export function asksFor(option: string, words: readonly string[]): boolean {
  const end = words.indexOf("--");
  const own = end === -1 ? words : words.slice(0, end);
  return own.some((word) => new RegExp(`^--${option}(=(true|1|yes))?$`, "i").test(word));
}

interface ErrorDescription {
  readonly message: string;
  readonly code: string;
  readonly remedy: string;
  readonly mistakes: unknown;
}

async function describeError(error: unknown): Promise<ErrorDescription> {
  if (isStorageFailure(error) && !isBootlevelError(error)) {
    const path = error.path ?? "this computer";
    const remedy = storageRemedy(error.code ?? "", path) ?? `check ${path}, and repeat the command`;
    return { message: error.message, code: "SYSTEM", remedy, mistakes: undefined };
  }
  if (!isBootlevelError(error)) {
    const message = error instanceof Error ? error.message : String(error);
    return { message, code: DEFECT, remedy: "", mistakes: undefined };
  }
  const { message, code, remedy } = error;
  if (isUsageError(error))
    return {
      message: message + (await suggestion(error)),
      code,
      remedy: "See: bootlevel --help, or bootlevel <command> --help",
      mistakes: undefined,
    };
  const { mistakes } = error as { mistakes?: unknown };
  return { message, code, remedy, mistakes };
}

/** A correction for a misspelt option or command, or "". */
async function suggestion(error: UsageError): Promise<string> {
  const unknown = /^Unknown arguments?: (\S+)$/.exec(error.message)?.[1];
  if (unknown === undefined) return "";
  const { closestMatch } = await import("leven");
  const closest =
    closestMatch(
      unknown,
      error.known.filter((name) => name.length > 1),
      { maxDistance: 2 },
    ) ?? error.known.find((name) => unknown.length > 1 && name.startsWith(unknown));
  if (closest === undefined) return "";
  return `, did you mean --${closest}?`;
}
