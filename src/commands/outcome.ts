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

/** Failures on one screen, then the next commands. */
export async function printOutcome(result: Outcome, interrupted: boolean): Promise<void> {
  const { formatFailures } = await import("../display/failure.js");
  if (result.failures.length > 0) print(`\n${formatFailures(result.failures, screen())}`);
  const unused = unusedLines(result);
  if (result.aborted) print(`\nThe run was aborted by ${result.aborted.origin}: ${result.aborted.reason}`);
  print(`\n${[...unused, whatNow(result, interrupted)].join("\n")}`);
}

/** How many machines are listed by name. */
const MOST_LISTED = 10;

/** Machines that cost money and serve nobody must not be met by chance. */
function unusedLines({ run, state, unused }: Outcome): string[] {
  const list = (ended: boolean) => {
    const machines = unused
      .filter((machine) => machine.ended === ended)
      .map(({ service, cloud, id }) => `${service} (${id} in ${cloud})`);
    return machines.length <= MOST_LISTED
      ? machines.join(", ")
      : `${machines.slice(0, MOST_LISTED).join(", ")} and ${machines.length - MOST_LISTED} more (bootlevel history ${run})`;
  };
  const [gone, kept] = [list(true), list(false)];
  const left =
    state === "failed"
      ? "Started early for levels that never began, and there still"
      : "Started early, and kept for the levels that have not begun";
  return [
    ...(gone === "" ? [] : [`Started early for levels that never began, and ended: ${gone}`]),
    ...(kept === "" ? [] : [`${left}: ${kept}`]),
  ];
}

function whatNow({ run, state, aborted }: Outcome, interrupted: boolean): string {
  if (aborted)
    return `What came up still runs: bootlevel show ${run}   The whole output: bootlevel logs ${run}\nGo on with it: bootlevel abort ${run} --cancel   End it: bootlevel terminate ${run}`;
  if (state === "ready")
    return `The run is called ${run}. Look at it: bootlevel status ${run}   End it: bootlevel terminate ${run}`;
  if (state === "interrupted")
    return `${interrupted ? "Interrupted" : `${run} is not whole yet`}. Carry on: bootlevel boot --resume ${run}   What runs: bootlevel show ${run}   End it: bootlevel terminate ${run}`;
  return `What came up still runs: bootlevel show ${run}   The whole output: bootlevel logs ${run}\nMend it: bootlevel repair ${run}   End it: bootlevel terminate ${run}`;
}
