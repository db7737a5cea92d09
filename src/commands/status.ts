import type { Argv } from "yargs";

import { status, type StatusReport } from "../index.js";
import { EXIT } from "./exitCodes.js";
import { print, printJson, screen } from "./output.js";

export const command = "status <run>";
export const describe = "Look at a run's machines and run its ready programs again";

export function builder(yargs: Argv) {
  return yargs.positional("run", { type: "string", demandOption: true, describe: "the run's name or number" })
    .example("$0 status shop", "how the run shop is now; exit code 0 when all is well, 1 when not")
    .example("$0 status shop --json", "the same as one document");
}

export async function handler(options: { readonly run: string; readonly json: boolean }): Promise<number> {
  const report = await status(options.run);
  if (options.json) printJson("status", report);
  else await printReport(report);
  if (report.cloudUnreachable) return EXIT.unreachable;
  return report.healthy ? EXIT.fine : EXIT.notFine;
}

async function printReport(report: StatusReport): Promise<void> {
  const [{ formatTable }, { formatDuration }] = await Promise.all([import("../reporting/table.js"), import("../reporting/time.js")]);
  const rows = report.services.map((service) => [
    service.level, service.service, service.healthy ? "✔ ready" : "✖ not well", service.machine, service.host ?? "",
    service.ms === null ? "" : formatDuration(service.ms), service.message,
  ]);
  print(formatTable(["LEVEL", "SERVICE", "NOW", "MACHINE", "HOST", "TOOK", "WHY"], rows, screen()));
  const { outputLines } = await import("../reporting/text.js");
  for (const service of report.services.filter((one) => one.lastLines.length > 0).slice(0, 3)) {
    print(`\n${service.service} said:\n${service.lastLines.slice(-10).flatMap(outputLines).map((line) => `  ${line}`).join("\n")}`);
  }
  const well = report.services.filter((service) => service.healthy).length;
  const verdict = report.healthy ? "All is well" : report.state === "ready" ? "Not all is well" : `The run is ${report.state}`;
  print(`\n${verdict}: ${well} of ${report.services.length} services ready, checked in ${formatDuration(report.ms)}.`);
}
