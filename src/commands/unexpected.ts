/** An error that no command caught: a bug. It is told without secrets, and the process ends. */
import { redactByAll } from "../secrets/everyRedactor.js";
import { printError } from "./output.js";

/** Takes the place of Node's own report, which prints the error as it is. @param code the exit code */
export function reportUnexpected(code: number): void {
  process.on("uncaughtException", (error) => {
    const details = error instanceof Error ? (error.stack ?? error.message) : String(error);
    printError(`bootlevel: an unexpected error ended the command. What it did is on record: bootlevel list`);
    printError(`  This is a bug in bootlevel. Please report it with these details:\n\n${redactByAll(details)}`);
    process.exit(code);
  });
}
