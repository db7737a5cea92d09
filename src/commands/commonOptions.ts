/** Arguments shared by several commands, with the same meaning everywhere. */

/** The positional argument of commands on one run. */
export const RUN = { type: "string", demandOption: true, describe: "Name or number of the run" } as const;

/** The positional argument of commands on a plan. */
export const PLAN = {
  type: "string",
  demandOption: true,
  describe: "Plan file, or folder with a launch.yaml",
} as const;

/** `--verbose`, for every command that runs programs. */
export const VERBOSE = { type: "boolean", default: false, describe: "Show the output of programs" } as const;

/** `--yes`, for every command that asks before it changes something. */
export const YES = { alias: "y", type: "boolean", default: false, describe: "Do not ask for confirmation" } as const;
