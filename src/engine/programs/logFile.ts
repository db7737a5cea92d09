/**
 * The log of a step as a program's run sees it: it never fails. A full disk on the launcher must neither end a program
 * nor make a healthy service look broken. What cannot be stored is lost, and a warning says so once per program.
 */
import type { StepName } from "../../model/events.js";
import { LOG_LIMIT_BYTES } from "../../plan/launchPlan/limits.js";
import { isFileError } from "../../state/contract/fileErrors.js";
import type { LogWriter } from "../../state/contract/files.js";
import type { RunContext } from "../run/context.js";
import { change, warning } from "../run/journal.js";
import type { Service } from "../run/service.js";

/** Opens the log of a service and step; null if nothing is recorded. */
export async function openLogFile(context: RunContext, service: Service, step: StepName): Promise<LogWriter | null> {
  const { store, run, writer } = context;
  if (writer === null) return null;
  const onLoss = ({ message, remedy }: { readonly message: string; readonly remedy: string }): void => {
    const text = `output of its ${step} program is lost, and the program goes on: ${message}; ${remedy}`;
    const event = warning(context, service, text);
    // The disk of the record may be full, too. What needs the record says so; this warning does not.
    void change(context, [], [event]).catch(() => {
      context.emit(event);
    });
  };
  try {
    const limitBytes = service.spec.logLimitBytes ?? LOG_LIMIT_BYTES;
    return new LossyLog(await store.files.logs.open(run.uid, { service: service.name, step }, limitBytes), onLoss);
  } catch (error) {
    if (!isFileError(error)) throw error;
    onLoss(error);
    return null;
  }
}

/** Stores what can be stored. After a loss it tries again with the next text, and writes where text is missing. */
class LossyLog implements LogWriter {
  private told = false;
  /** Characters that were lost since the last text that was stored. */
  private lost = 0;

  constructor(
    private readonly log: LogWriter,
    private readonly onLoss: (error: Error & { readonly remedy: string }) => void,
  ) {}

  append(text: string): void {
    try {
      this.log.append(this.lost === 0 ? text : `\n--- ${this.lost} characters are missing here\n${text}`);
      this.lost = 0;
    } catch (error) {
      this.lost += text.length;
      this.tell(error);
    }
  }

  async close(): Promise<void> {
    try {
      await this.log.close();
    } catch (error) {
      this.tell(error);
    }
  }

  private tell(error: unknown): void {
    if (!isFileError(error)) throw error;
    if (!this.told) this.onLoss(error);
    this.told = true;
  }
}
