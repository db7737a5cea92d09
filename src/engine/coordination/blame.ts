/** Who let whom down: the service that a program waited for in vain. */
import type { BlReply } from "../../machines/coordination/blRequest.js";
import { BL_EXIT } from "./replies.js";
import type { Progress } from "./progress.js";
import type { Wait } from "./waitQueue.js";

export class Blame {
  private readonly causes = new Map<string, string>();

  constructor(private readonly progress: Pick<Progress, "standing">) {}

  /**
   * A wait has ended. If it was in vain, the service that it was for is the cause of what follows, until a later wait
   * of the same service succeeds.
   */
  waitEnded(wait: Pick<Wait, "service" | "dependencies">, { code }: BlReply): void {
    if (code === BL_EXIT.fine) this.causes.delete(wait.service);
    if (code !== BL_EXIT.notSet && code !== BL_EXIT.timedOut) return;
    const others = wait
      .dependencies()
      .map(({ to }) => to)
      .filter((name) => name !== wait.service);
    const cause =
      others.find((name) => this.progress.standing(name) === "failed") ??
      // Its time was over before they were: whoever has not come yet is what it waited for.
      others.find((name) => this.progress.standing(name) === "open");
    if (cause === undefined) this.causes.delete(wait.service);
    else this.causes.set(wait.service, cause);
  }

  /** The cause of a service's failure, or null. */
  causeOf(service: string): string | null {
    return this.causes.get(service) ?? null;
  }

  /** Services have other names now. @param renamed new names, by earlier names */
  rename(renamed: ReadonlyMap<string, string>): void {
    const causes = [...this.causes].map(([service, cause]) => [
      renamed.get(service) ?? service,
      renamed.get(cause) ?? cause,
    ]);
    this.causes.clear();
    for (const [service = "", cause = ""] of causes) this.causes.set(service, cause);
  }
}
