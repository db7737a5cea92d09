/** What a command is about to do for each service, and why. */
import type { PlannedTask, Stage } from "../model/events.js";
import { stripControl } from "./terminalText.js";

const WORDS: Readonly<Record<Stage, string>> = {
  discard: "replace its machine",
  replace: "replace its machine, after its terminate program",
  launch: "launch",
  boot: "boot again",
  verify: "verify again",
  execute: "execute",
};

const RESUMED: Readonly<Record<Stage, string>> = {
  ...WORDS,
  boot: "continue its boot",
  verify: "continue verifying",
  execute: "continue executing",
};

interface FollowingService {
  readonly service: string;
  readonly stage: Stage;
  readonly because: readonly string[];
}

/** Most services that are named; the others are counted. */
const SHOWN = 20;

/** `web-2: replace its machine (the machine i-0abc is terminated)` */
export function taskLine({ service, stage, resume, reason }: PlannedTask): string {
  const words = resume ? RESUMED[stage] : WORDS[stage];
  return `${stripControl(service)}: ${words} (${stripControl(reason)})`;
}

/** One line per task; the first ones of very many, and the number of the others. */
export function taskLines(tasks: readonly PlannedTask[]): string[] {
  const lines = tasks.slice(0, SHOWN).map(taskLine);
  return tasks.length > SHOWN ? [...lines, `and ${tasks.length - SHOWN} more services`] : lines;
}

/** `balancer: boot again if db.host changes`: services that no task names, but that may have to follow those with one. */
export function followerLines(followers: readonly FollowingService[]): string[] {
  const lines = followers
    .slice(0, SHOWN)
    .map(({ service, stage, because }) => `${stripControl(service)}: ${WORDS[stage]} if ${because.join(", ")} changes`);
  return followers.length > SHOWN ? [...lines, `and ${followers.length - SHOWN} more that may follow`] : lines;
}
