/** Runs programs on one machine, over a shell or by a driver that runs them itself. */
import type { MachineLink } from "../contract/link.js";
import type { ProgramRequest, ProgramResult, RecoverRequest, RecoverResult } from "./request.js";
import { runProgram } from "./runProgram.js";
import { recoverProgram } from "./recoverProgram.js";

export interface ProgramRunner {
  /** Checks that the machine answers. @returns its label, for messages. @throws ConnectionError */
  reach(): Promise<string>;
  /** Runs a program once; see `runProgram`. */
  run(request: ProgramRequest): Promise<ProgramResult>;
  /** Finds out how a program of an earlier launcher ended; see `recoverProgram`. */
  recover(request: RecoverRequest): Promise<RecoverResult>;
}

/** Runs programs over a link's shell. */
export function shellRunner(link: MachineLink): ProgramRunner {
  return {
    reach: async () => (await link.connection()).label,
    run: (request) => runProgram(link, request),
    recover: (request) => recoverProgram(link, request),
  };
}
