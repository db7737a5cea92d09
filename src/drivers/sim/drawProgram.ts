/** Draws the outcome of a program on a simulated machine: its duration, exit code and outputs. */
import { basename } from "node:path/posix";

import type { ProgramRequest } from "../../machines/program/request.js";
import { isDue } from "./calls.js";
import { drawMs, happens } from "./chance.js";
import type { CloudFile, MachineRow, ProgramRow } from "./cloudFile.js";
import { isMeant, type ProgramEntry, type Step } from "./script.js";
import type { ServiceSettings, Settings } from "./settings.js";

/** The program's row. Must run in a transaction, because it increments counters. */
export function drawProgram(
  settings: Settings,
  file: CloudFile,
  machine: MachineRow,
  request: ProgramRequest,
  now: number,
): ProgramRow {
  const { mark } = machine;
  const name = request.env["BOOTLEVEL_SERVICE"] ?? mark.service;
  const word = wordOf(request.directory);
  const step = stepOf(word);
  // A service on another service's machine has no `launch:` of its own.
  const service = settings.service(name, name === mark.service ? machine.launch : {});
  const words = [settings.seed ?? mark.run, name, word, file.count(mark.run, `${word} ${name}`)] as const;
  const drawn = service.programs[step];
  const fails = happens(drawn.fail, ...words, "fail");
  const row: ProgramRow = {
    machine: machine.id,
    directory: request.directory,
    state: "started",
    endsAt: happens(drawn.hang, ...words, "hang") ? null : now + drawMs(drawn.duration, ...words, "duration"),
    exit: fails ? drawn.exit : 0,
    output: drawn.output,
    outputs: {},
  };
  const entries = settings.script
    .filter((entry) => entry.kind === "program")
    .filter(
      (entry) =>
        entry.step === word && isMeant(entry.service, name) && isDue(entry.nth, file.count(mark.run, entry.id)),
    );
  const end = entries.reduce((before, entry) => scripted(before, entry, now, words), row);
  return {
    ...end,
    outputs: end.exit === 0 ? outputsAt(word, outputsOf(service, name, request.promised), request.promised) : {},
  };
}

function scripted(
  row: ProgramRow,
  { hang, exit, duration, output }: ProgramEntry,
  now: number,
  words: readonly (string | number)[],
): ProgramRow {
  return {
    ...row,
    endsAt: hang ? null : duration === null ? row.endsAt : now + drawMs(duration, ...words, "duration"),
    exit: exit ?? row.exit,
    output: output ?? row.output,
  };
}

/** Boot sets all outputs. Execute sets those that are still missing. */
function outputsAt(
  word: string,
  outputs: Readonly<Record<string, string>>,
  promised: readonly string[],
): Record<string, string> {
  if (word === "boot") return outputs;
  return word === "execute"
    ? Object.fromEntries(Object.entries(outputs).filter(([name]) => promised.includes(name)))
    : {};
}

/**
 * The declared outputs and those of the simulation's settings. A value that is not set is generated, and always the
 * same.
 */
function outputsOf(service: ServiceSettings, name: string, promised: readonly string[]): Record<string, string> {
  const madeUp = Object.fromEntries(promised.map((output) => [output, `sim-${name}-${output}`]));
  return { ...madeUp, ...service.outputs };
}

/** Step directories are named `<service>/<step>-<id>`. */
function wordOf(directory: string): string {
  return basename(directory).split("-", 1)[0] ?? "";
}

/** The step whose settings apply: setup steps use the settings of boot. */
function stepOf(word: string): Step {
  return word === "ready" || word === "terminate" ? word : "boot";
}
