/**
 * Programs on a simulated machine. A program's outcome is drawn and recorded when it begins, so that any launcher can
 * read it later.
 */
import { basename } from "node:path/posix";

import type { Clock } from "../../time/clock.js";
import { ConnectionError } from "../../machines/contract/connection.js";
import { StagingError } from "../../machines/contract/errors.js";
import type { ProgramRunner } from "../../machines/program/programRunner.js";
import {
  checkLimits,
  type ProgramRequest,
  type ProgramResult,
  type RecoverRequest,
  type RecoverResult,
} from "../../machines/program/request.js";
import type { CloudFile, MachineRow, ProgramRow } from "./cloudFile.js";
import { drawProgram } from "./drawProgram.js";
import { end, nextChange, unreachable } from "./machines.js";
import type { Settings } from "./settings.js";

/** How long to wait for a machine that does not answer, in milliseconds. */
const REACH_MS = 30_000;
/** How often a waiting launcher checks for changes to the machine by others, in milliseconds. */
const LOOK_MS = 5_000;

interface Look {
  readonly machine: MachineRow;
  readonly program: ProgramRow;
}

export class SimPrograms implements ProgramRunner {
  constructor(
    private readonly id: string,
    private readonly settings: Settings,
    private readonly file: CloudFile,
    private readonly clock: Clock,
  ) {}

  async reach(): Promise<string> {
    const deadline = this.clock.now() + REACH_MS;
    for (;;) {
      const now = this.clock.now();
      const machine = this.file.machine(this.id);
      if (machine === null) throw new ConnectionError(`machine ${this.id} cannot be reached: it does not exist`);
      const reason = unreachable(machine, now);
      if (reason === null) return `${machine.mark.service} at ${machine.address}`;
      const gone = (end(machine)?.at ?? Infinity) <= now;
      if (gone || now >= deadline)
        throw new ConnectionError(`${machine.mark.service} at ${machine.address} cannot be reached: ${reason}`);
      await this.clock.sleep(Math.min(nextChange(machine, now), deadline, now + LOOK_MS) - now);
    }
  }

  async run(request: ProgramRequest): Promise<ProgramResult> {
    checkLimits(request);
    if (request.signal.aborted) return { kind: "aborted" };
    const label = await this.reach();
    const begun = await this.start(request);
    request.onOutput(Buffer.from(`[simulated] ${basename(request.directory)} on ${label}\n`));
    return this.finish(request, begun);
  }

  async recover(request: RecoverRequest): Promise<RecoverResult> {
    const gone = this.goneReason();
    if (gone !== null) return { kind: "lost", reason: gone };
    try {
      await this.reach();
    } catch (error) {
      return { kind: "unknown", reason: (error as Error).message };
    }
    const program = this.file.transaction(
      () => this.file.program(this.id, request.directory) ?? this.claim(request.directory),
    );
    return program.state === "never" ? { kind: "never-started" } : this.finish(request);
  }

  /**
   * Records the program's whole outcome.
   * @throws StagingError in a directory that was already used or claimed.
   */
  private start(request: ProgramRequest): Promise<Look> {
    return this.file.together(() => {
      const machine = this.file.machine(this.id) as MachineRow;
      if (this.file.program(this.id, request.directory) !== null)
        throw new StagingError(`${request.directory} was used on ${machine.mark.service} before; nothing was started`);
      const program = drawProgram(this.settings, this.file, machine, request, this.clock.now());
      this.file.addProgram(program);
      return { machine, program };
    });
  }

  private claim(directory: string): ProgramRow {
    const row: ProgramRow = {
      machine: this.id,
      directory,
      state: "never",
      endsAt: null,
      exit: 0,
      outputs: {},
      output: "",
    };
    this.file.addProgram(row);
    return row;
  }

  private goneReason(): string | null {
    const machine = this.file.machine(this.id);
    if (machine === null) return `there is no machine ${this.id}`;
    const ending = end(machine);
    return ending !== null && ending.at <= this.clock.now() ? ending.reason : null;
  }

  /**
   * Waits until a program that began has ended, in any way.
   * @param begun what is known already of one that begins now.
   */
  private async finish(request: RecoverRequest, begun: Look | null = null): Promise<ProgramResult> {
    const startedAt = this.clock.now();
    const deadline = startedAt + request.timeoutMs;
    for (let known = begun; ; known = null) {
      const now = this.clock.now();
      const { machine, program } = known ?? this.look(request.directory);
      const result = this.resultAt(machine, program, now);
      if (result?.kind === "exited") return this.report(request, program, result);
      if (result !== null) return result;
      const silent = unreachable(machine, now);
      if (request.signal.aborted) return this.kill(request, silent, { kind: "aborted" });
      if (now >= deadline) return this.kill(request, silent, { kind: "timed-out", afterMs: now - startedAt });
      await this.pause(
        Math.min(nextChange(machine, now), after(program.endsAt, now), deadline, now + LOOK_MS) - now,
        request.signal,
      );
    }
  }

  private look(directory: string): Look {
    return this.file.read(() => ({
      machine: this.file.machine(this.id) as MachineRow,
      program: this.file.program(this.id, directory) as ProgramRow,
    }));
  }

  /** The program's result. Null if it has not ended, or if its machine does not answer. */
  private resultAt(machine: MachineRow, program: ProgramRow, now: number): ProgramResult | null {
    const ending = end(machine);
    const endsAt = program.state === "started" ? (program.endsAt ?? Infinity) : Infinity;
    const gone = ending !== null && ending.at <= now;
    if (gone && ending.at < endsAt) return { kind: "lost", reason: ending.reason };
    if (!gone && unreachable(machine, now) !== null) return null;
    if (program.state === "killed") return { kind: "lost", reason: "it was ended" };
    return endsAt <= now
      ? { kind: "exited", code: program.exit, outputs: new Map(Object.entries(program.outputs)) }
      : null;
  }

  private async report(
    request: RecoverRequest,
    program: ProgramRow,
    result: ProgramResult & { readonly kind: "exited" },
  ): Promise<ProgramResult> {
    if (program.output !== "") request.onOutput(Buffer.from(`${program.output}\n`));
    await request.onResult?.(result);
    return result;
  }

  /** Ends the program, unless its machine does not answer. */
  private kill(request: RecoverRequest, silent: string | null, result: ProgramResult): ProgramResult {
    if (silent !== null) return { kind: "unknown", reason: `the program could not be ended: ${silent}` };
    this.file.killProgram(this.id, request.directory);
    return result;
  }

  /** Returns early when the signal aborts. The caller checks the signal. */
  private async pause(ms: number, signal: AbortSignal): Promise<void> {
    try {
      await this.clock.sleep(ms, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}

function after(moment: number | null, now: number): number {
  return moment !== null && moment > now ? moment : Infinity;
}
