import type { Argv } from "yargs";

import { type RunAnalysis, type SectionAnalysis } from "../library/index.js";
import { ENVIRONMENT } from "./environment.js";
import { RUN } from "./commonOptions.js";
import { EXIT, UsageError } from "./exitCodes.js";
import { print, printJson, screen } from "./output.js";
import { writeWholeFile } from "./wholeFile.js";
import { analyzeRun } from "../library/records.js";

interface AnalyzeArguments {
  readonly run: string;
  readonly top: number;
  readonly section?: number;
  readonly sections: boolean;
  readonly svg?: string;
  readonly json: boolean;
}

export const command = "analyze <run>";
export const describe = "Show where the time of a launch went: longest steps and critical path";

export function builder(yargs: Argv) {
  return yargs
    .positional("run", RUN)
    .option("top", { type: "number", default: 20, requiresArg: true, describe: "Number of longest steps to list" })
    .option("section", {
      type: "number",
      requiresArg: true,
      describe: "Section to analyze, one per command on the run (default: the newest except terminate)",
    })
    .option("sections", { type: "boolean", default: false, describe: "List the sections" })
    .option("svg", { type: "string", requiresArg: true, describe: "Write a waterfall chart to this file" })
    .example("$0 analyze shop", "Analyze the newest section")
    .example("$0 analyze shop --svg shop.svg", "Also write an SVG chart, for a browser")
    .example("$0 analyze shop --sections", "List all commands that worked on the run");
}

export async function handler(options: AnalyzeArguments): Promise<number> {
  const top = wholeNumber("top", options.top);
  const section = options.section === undefined ? {} : { section: wholeNumber("section", options.section) };
  const analysis = await analyzeRun(options.run, { ...ENVIRONMENT, top, ...section });
  const svg = options.svg === undefined ? null : await draw(options.svg, analysis);
  if (options.json) printJson("analyze", { ...analysis, svg });
  else if (options.sections || analysis.section === null) await printSections(analysis);
  else await printSection(analysis, analysis.section);
  if (svg !== null && !options.json) print(`\nThe chart is in ${svg}`);
  return EXIT.fine;
}

function wholeNumber(option: string, value: number): number {
  if (Number.isInteger(value) && value > 0) return value;
  throw new UsageError(`--${option} must be one whole number, 1 or more`);
}

async function draw(file: string, { run, section }: RunAnalysis): Promise<string> {
  if (section === null) throw new UsageError(`run "${run}" has no section to draw: choose one with --section`);
  const { renderWaterfall } = await import("../display/waterfall/waterfall.js");
  return writeWholeFile(file, renderWaterfall(run, section));
}

async function printSections({ run, sections, section }: RunAnalysis): Promise<void> {
  if (sections.length === 0) return print(`Run ${run} has no recorded events yet.`);
  const { formatSections } = await import("../display/analysisTables.js");
  print(formatSections(sections, screen()));
  if (section === null)
    print(`\nRun ${run} was only terminated. Analyze that: bootlevel analyze ${run} --section ${sections.length}`);
}

async function printSection({ run, sections }: RunAnalysis, section: SectionAnalysis): Promise<void> {
  const [{ formatBlame, formatChain }, { caveats, resultWords }, { formatDuration, formatTime }] = await Promise.all([
    import("../display/analysisTables.js"),
    import("../display/analysisText.js"),
    import("../display/time.js"),
  ]);
  const others = sections.length > 1 ? ` (section ${section.number} of ${sections.length}, --sections lists them)` : "";
  print(
    `Run ${run}: ${section.verb} of ${formatTime(section.startedAt)}, ` +
      `${resultWords(section)} after ${formatDuration(section.wallMs)}${others}`,
  );
  for (const caveat of caveats(section)) print(caveat);
  if (section.blame.length > 0) print(`\nThe longest steps\n\n${formatBlame(section, screen())}`);
  if (section.chain.length > 0)
    print(`\nThe critical path: in each level, the service that finished last\n\n${formatChain(section, screen())}`);
}
