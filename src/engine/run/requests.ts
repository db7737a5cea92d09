/**
 * Requests to a command while it holds a run. It watches the record once per run, passes each request to the handler of
 * its kind, and answers it. Unknown requests are answered too.
 */
import type { RunEvent } from "../../model/events.js";
import type { RequestAnswer, RequestKind, RunRequest } from "../../state/contract/requests.js";
import type { RecordWatch, RunKey, Store } from "../../state/contract/store.js";
import type { RunWriter } from "../../state/contract/writer.js";

/** The result of a handler: its answer, and an event to emit, if any. */
export interface Handled {
  readonly answer: RequestAnswer;
  readonly event?: RunEvent;
}

export type RequestHandlers = Readonly<Record<RequestKind, (request: RunRequest) => Handled | Promise<Handled>>>;

export interface RunRequestsParts {
  readonly store: Store;
  readonly run: RunKey;
  /** Null for read-only commands: they receive no requests. */
  readonly writer: RunWriter | null;
  readonly handlers: RequestHandlers;
  /** Removes secrets from an event before it is recorded. */
  readonly redact: (event: RunEvent) => RunEvent;
  readonly tell: (event: RunEvent) => void;
}

export class RunRequests {
  private readonly heard = new Set<number>();
  private watch: RecordWatch | null = null;
  private closed = false;

  private constructor(private readonly parts: RunRequestsParts) {}

  /** Handles open requests, then each new one within 0.2 s, until it is closed. */
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
    const handled = this.handle(writer, request);
    // Not awaited here: if it fails, the next write fails too and says why.
    if (handled instanceof Promise) writer.expect(handled.then((one) => this.answer(writer, request, one)));
    else writer.expect(this.answer(writer, request, handled));
  }

  private answer(writer: RunWriter, request: RunRequest, { answer, event }: Handled): Promise<void> {
    const { redact, tell } = this.parts;
    const written = writer.write(
      { kind: "request-answered", id: request.id, answer },
      ...(event === undefined ? [] : [{ kind: "event" as const, event: redact(event) }]),
    );
    if (event !== undefined) tell(event);
    return written;
  }

  private handle({ fence }: RunWriter, request: RunRequest): Handled | Promise<Handled> {
    const { handlers } = this.parts;
    if (request.fence !== null && request.fence !== fence)
      return {
        answer: { status: "too-late", message: "that launcher no longer works on the run" },
      };
    if (!Object.hasOwn(handlers, request.kind))
      return {
        answer: { status: "not-supported", message: `this launcher does not support the request "${request.kind}"` },
      };
    return handlers[request.kind as RequestKind](request);
  }

  /** The record is closed or broken. The next write reports that where it can be handled. */
  private giveUp(error: Error): void {
    if (this.closed) return;
    this.close();
    const message = `this command no longer receives an abort or other requests: ${error.message}`;
    this.parts.tell({ at: Date.now(), type: "warning", service: null, message });
  }
}
