/** How a command that changed a run ends: what failed, what to do next, and the exit code. */
import type { BootResult } from "../library/index.js";
import { EXIT } from "./exitCodes.js";
import { print, screen } from "./output.js";

export type Outcome = Pick<BootResult, "run" | "state" | "failures" | "cloudUnreachable" | "unused"> &
  Partial<Pick<BootResult, "aborted">>;

/** @param interrupted whether the operator stopped the command */
export function exitCodeFor(
  { state, cloudUnreachable }: Pick<Outcome, "state" | "cloudUnreachable">,
  interrupted: boolean,
): number {
  if (state === "ready" || state === "terminated") return EXIT.fine;
  if (interrupted) return EXIT.interrupted;
  return cloudUnreachable ? EXIT.unreachable : EXIT.notFine;
}

/** Prints the failures, then the next commands. */
export async function printOutcome(result: Outcome, interrupted: boolean): Promise<void> {
  const { formatFailures } = await import("../display/failure.js");
  if (result.failures.length > 0) print(`\n${formatFailures(result.failures, screen())}`);
  const unused = unusedLines(result);
  if (result.aborted) print(`\nThe run was aborted by ${result.aborted.origin}: ${result.aborted.reason}`);
  print(`\n${[...unused, nextCommands(result, interrupted)].join("\n")}`);
}

/** Most machines listed by name. */
const MOST_LISTED = 10;

/** Unused machines cost money, so they are always reported. */
function unusedLines({ run, state, unused }: Outcome): string[] {
  const list = (ended: boolean) => {
    const machines = unused
      .filter((machine) => machine.ended === ended)
      .map(({ service, cloud, id }) => `${service} (${id} in ${cloud})`);
    return machines.length <= MOST_LISTED
      ? machines.join(", ")
      : `${machines.slice(0, MOST_LISTED).join(", ")} and ` +
          `${machines.length - MOST_LISTED} more (bootlevel history ${run})`;
  };
  const [gone, kept] = [list(true), list(false)];
  const left =
    state === "failed"
      ? "Started early for levels that never began, and still running"
      : "Started early, and kept for the levels that have not begun";
  return [
    ...(gone === "" ? [] : [`Started early for levels that never began, and ended: ${gone}`]),
    ...(kept === "" ? [] : [`${left}: ${kept}`]),
  ];
}

function nextCommands({ run, state, aborted }: Outcome, interrupted: boolean): string {
  if (aborted)
    return (
      `Started services still run: bootlevel show ${run}   Full output: bootlevel logs ${run}\n` +
      `Continue: bootlevel abort ${run} --cancel   Terminate it: bootlevel terminate ${run}`
    );
  if (state === "ready")
    return `Run ${run} is ready. Check it: bootlevel status ${run}   Terminate it: bootlevel terminate ${run}`;
  if (state === "interrupted")
    return (
      `${interrupted ? "Interrupted" : `${run} is not complete yet`}. ` +
      `Resume it: bootlevel boot --resume ${run}   What runs: bootlevel show ${run}   Terminate it: bootlevel terminate ${run}`
    );
  return (
    `Started services still run: bootlevel show ${run}   Full output: bootlevel logs ${run}\n` +
    `Repair it: bootlevel repair ${run}   Terminate it: bootlevel terminate ${run}`
  );
}
