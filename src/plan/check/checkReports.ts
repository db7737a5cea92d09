/** Checks of `report` that a schema cannot express: which patterns can be fetched, and keys that need a program. */
import { keyOf, type Draft, type DraftService } from "../draft/draft.js";
import type { Located } from "../yaml/located.js";
import type { Mistake } from "../yaml/mistakes.js";

/** Keys of a report that only a program uses. */
const PROGRAM_KEYS = ["args", "env", "files", "where"];

export function checkReports(draft: Draft): Mistake[] {
  return draft.levels.flatMap(({ services }) => services).flatMap((service) => checkReport(service));
}

/** Whether a report has a program, or patterns only. */
export function hasProgram(report: Located): boolean {
  return typeof report.value === "string" || report.get("program") !== null || report.get("command") !== null;
}

function checkReport(service: DraftService): Mistake[] {
  const report = keyOf(service, "report");
  if (report === null) return [];
  const idle = hasProgram(report) ? [] : PROGRAM_KEYS.flatMap((key) => report.get(key) ?? []);
  return [
    ...idle.map((place) =>
      place.mistake(
        `"report" of service "${service.name}" has only patterns, so "${place.name}" has no effect: ` +
          `add "program" or "command", or remove "${place.name}"`,
        null,
        "key",
      ),
    ),
    ...(report.get("patterns")?.items() ?? []).flatMap((place) => checkPattern(place)),
  ];
}

/** Patterns are matched against file names. The machine's shell never evaluates them. */
function checkPattern(place: Located): Mistake[] {
  const text = place.text ?? "";
  if (/[\n\r]/.test(text)) return [place.mistake("a pattern must be one line: use ? to match a line break in a name")];
  if (text === "~" || text.startsWith("~/"))
    return [
      place.mistake(
        `"~" is not expanded in a pattern: ` +
          "write an absolute path, or one relative to the directory of the boot program",
      ),
    ];
  if (text.split("/").includes("..")) return [place.mistake(`a pattern must not contain "..": write an absolute path`)];
  return [];
}
