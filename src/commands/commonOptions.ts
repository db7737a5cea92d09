/** Arguments that several commands take, declared once: they mean the same everywhere. */

/** The positional of a command on one run. */
export const RUN = { type: "string", demandOption: true, describe: "the run's name or number" } as const;

/** The positional of a command on a plan. */
export const PLAN = {
  type: "string",
  demandOption: true,
  describe: "a plan file, or a folder with launch.yaml",
} as const;

/** `--verbose`, for every command that runs programs. */
export const VERBOSE = { type: "boolean", default: false, describe: "show what the programs print" } as const;

/** `--yes`, for every command that asks before it changes something. */
export const YES = { alias: "y", type: "boolean", default: false, describe: "do not ask" } as const;
