/**
 * What is asked of a command while it has a run in hand. It listens to the record once a run, hands each request to
 * the handler of its kind, and answers it there: one that it does not know is answered too.
 */
import type { RunEvent } from "../../model/events.js";
import type { RequestAnswer, RequestKind, RunRequest } from "../../state/contract/requests.js";
import type { RecordWatch, RunKey, Store } from "../../state/contract/store.js";
import type { RunWriter } from "../../state/contract/writer.js";

/** What a handler has done with a request: its answer, and the event that tells of it, if any. */
export interface Handled {
  readonly answer: RequestAnswer;
  readonly event?: RunEvent;
}

export type RequestHandlers = Readonly<Record<RequestKind, (request: RunRequest) => Handled>>;

export interface RunRequestsParts {
  readonly store: Store;
  readonly run: RunKey;
  /** Null for commands that only read: nothing is asked of them. */
  readonly writer: RunWriter | null;
  readonly handlers: RequestHandlers;
  /** Makes an event fit for the record: without secrets. */
  readonly redact: (event: RunEvent) => RunEvent;
  readonly tell: (event: RunEvent) => void;
}

export class RunRequests {
  private readonly heard = new Set<number>();
  private watch: RecordWatch | null = null;
  private closed = false;

  private constructor(private readonly parts: RunRequestsParts) {}

  /** Hears what is open, and from then on, within 0.2 s, whatever is asked, until it is closed. */
  static async open(parts: RunRequestsParts): Promise<RunRequests> {
    const requests = new RunRequests(parts);
    const { store, run, writer } = parts;
    if (writer === null) return requests;
    requests.watch = await store.watch(run, {
      changed: () => void requests.look(writer),
      failed: (error) => {
        requests.giveUp(error);
      },
    });
    await requests.look(writer);
    return requests;
  }

  close(): void {
    this.closed = true;
    this.watch?.close();
  }

  private async look(writer: RunWriter): Promise<void> {
    const { store, run } = this.parts;
    try {
      for (const request of await store.openRequests(run)) this.hear(writer, request);
    } catch (error) {
      this.giveUp(error as Error);
    }
  }

  private hear(writer: RunWriter, request: RunRequest): void {
    if (this.closed || this.heard.has(request.id)) return;
    this.heard.add(request.id);
    const { answer, event } = this.handle(writer, request);
    const { redact, tell } = this.parts;
    // Nobody waits for it here: should it fail, the next write does, and tells why.
    writer.expect(
      writer.write(
        { kind: "request-answered", id: request.id, answer },
        ...(event === undefined ? [] : [{ kind: "event" as const, event: redact(event) }]),
      ),
    );
    if (event !== undefined) tell(event);
  }

  private handle({ fence }: RunWriter, request: RunRequest): Handled {
    const { handlers } = this.parts;
    if (request.fence !== null && request.fence !== fence)
      return {
        answer: { status: "too-late", message: "the launcher that was asked does not work on the run any more" },
      };
    if (!Object.hasOwn(handlers, request.kind))
      return { answer: { status: "not-supported", message: `this launcher knows no request "${request.kind}"` } };
    return handlers[request.kind as RequestKind](request);
  }

  /** The record is closed or broken: the next write says so to whoever can do something about it. */
  private giveUp(error: Error): void {
    if (this.closed) return;
    this.close();
    const message = `nobody hears an abort or another request any more: ${error.message}`;
    this.parts.tell({ at: Date.now(), type: "warning", service: null, message });
  }
}
