/**
 * What is to be done for each service, and why: the one thing in which a boot, a resume, a repair and a reload differ.
 */
import type { PlannedTask, Stage } from "../../model/events.js";
import type { DueStage } from "../../state/contract/records.js";
import type { RunContext } from "../run/context.js";
import type { Service } from "../run/service.js";

/**
 * From the earliest: `discard` takes a service's machine down without its programs (it is lost, or cannot be reached)
 * and starts another; `replace` does so after the terminate program; `launch` gets the machine, or the one that was
 * asked for already; `boot` runs the boot program on the machine that there is; `verify` the ready program only;
 * `execute` what the service is there for, and nothing else.
 */
const ORDER: readonly Stage[] = ["discard", "replace", "launch", "boot", "verify", "execute"];

export interface Task {
  readonly stage: Stage;
  /** For people: why. */
  readonly reason: string;
  /** A boot program that an earlier launcher has started counts: it is waited for, not started again. */
  readonly resume: boolean;
}

export class Agenda {
  private readonly tasks = new Map<number, Task>();

  /** The service's task, or null: it stays as it is. */
  of(service: Service): Task | null {
    return this.tasks.get(service.id) ?? null;
  }

  get size(): number {
    return this.tasks.size;
  }

  /** Puts a task down; of two for one service the earlier stage stays. @returns whether it is this one. */
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

  /** The services that have a task, in order. */
  among(services: readonly Service[]): Service[] {
    return services.filter((service) => this.tasks.has(service.id));
  }
}

/**
 * How a task is kept until it is begun. A launch, and a boot that goes on, need no keeping, for the service's state
 * says it; that a service has only to be verified, no state before "verifying" says.
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
