/** The tasks of each service, with reasons. A boot, a resume, a repair and a reload differ only in their agenda. */
import type { PlannedTask, Stage } from "../../model/events.js";
import type { DueStage } from "../../state/contract/records.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";

/**
 * Stages, the earliest first.
 * - `discard` destroys a lost or unreachable machine without running its programs, and starts another;
 * - `replace` runs the terminate program first, then does the same;
 * - `launch` gets the machine, or the one that was already requested;
 * - `boot` runs the boot program on the current machine;
 * - `verify` runs only the ready program;
 * - `execute` runs only the execute program.
 */
const ORDER: readonly Stage[] = ["discard", "replace", "launch", "boot", "verify", "execute"];

export interface Task {
  readonly stage: Stage;
  /** The reason, for people. */
  readonly reason: string;
  /** A boot program that an earlier launcher started is still valid: it is awaited, not started again. */
  readonly resume: boolean;
}

export class Agenda {
  private readonly tasks = new Map<number, Task>();

  /** The service's task; null if it stays as it is. */
  of(service: Service): Task | null {
    return this.tasks.get(service.id) ?? null;
  }

  get size(): number {
    return this.tasks.size;
  }

  /**
   * Adds a task. Of two tasks for one service, the one with the earlier stage stays.
   * @returns whether it is this one.
   */
  add(service: Service, task: Task): boolean {
    const known = this.tasks.get(service.id);
    if (
      known !== undefined &&
      ORDER.indexOf(known.stage) <= ORDER.indexOf(task.stage) &&
      (!known.resume || known.stage !== task.stage)
    )
      return false;
    this.tasks.set(service.id, task);
    return true;
  }

  /** The services that have a task, in the given order. */
  among(services: readonly Service[]): Service[] {
    return services.filter((service) => this.tasks.has(service.id));
  }
}

/**
 * The stage to record until the task starts; null if the service's state implies it. That is so for a launch and for a
 * boot that continues. A task that only verifies must be recorded: no state before "verifying" implies it.
 */
export function dueStage(task: Task): DueStage | null {
  return task.stage === "launch" || (task.resume && task.stage !== "verify") ? null : task.stage;
}

/** The agenda in the order of the levels, for people. */
export function plannedTasks(context: RunContext, agenda: Agenda): PlannedTask[] {
  return agenda.among(context.levels.flat()).map((service) => {
    const { stage, resume, reason } = agenda.of(service) as Task;
    return { service: service.name, level: service.level.name, stage, resume, reason: context.redactor.redact(reason) };
  });
}
