/** The parts of the command that take part when an error is caught by nobody, in a process of its own. */
import { reportUnexpected } from "../../src/commands/unexpected.js";
import { remember } from "../../src/secrets/everyRedactor.js";
import { Redactor } from "../../src/secrets/redactor.js";

const redactors: Redactor[] = [];

/** @param secret what a run of the process knows. @returns the words of an error with the secret in them */
export function prepare(secret: string): string {
  reportUnexpected(1);
  const redactor = new Redactor();
  remember(redactor);
  redactor.add([secret]);
  redactors.push(redactor);
  return `the password is ${secret}`;
}
