import type { RunEvent } from "../model/events.js";
import { FRAME_MS, renderFrame } from "./frame.js";
import { noteLine } from "./notes.js";
import type { Reporter, ReporterOptions } from "./reporterContract.js";
import { createStyles } from "./style.js";
import { createView, foldEvent, type RunView } from "./view.js";

type LogUpdate = ReturnType<typeof import("log-update").createLogUpdate>;

/**
 * Redraws the run in place ten times a second. Warnings (and output with `verbose`) scroll by above it. The last frame
 * stays. log-update takes 80 ms to load, so it is loaded while the first machines start.
 */
export function createLiveReporter(options: ReporterOptions): Reporter {
  const view = createView();
  const screen = createScreen(view, options);
  // The timer must not keep an otherwise idle launcher alive.
  const timer = setInterval(() => screen.draw(), FRAME_MS).unref();
  let open = true;
  function close(): void {
    if (!open) return;
    open = false;
    clearInterval(timer);
    screen.end();
  }
  return {
    onEvent(event) {
      if (!open) return;
      foldEvent(view, event);
      screen.note(event);
      if (event.type === "run-finished") close();
    },
    close,
  };
}

/** The terminal: notes scroll by above the frame. */
function createScreen(view: RunView, options: ReporterOptions) {
  const { stream, now, color } = options;
  const styles = createStyles(color);
  const notes: string[] = [];
  let update: LogUpdate | null = null;
  let drawnLines = 0;
  let ended = false;
  const frame = () => renderFrame(view, { columns: stream.columns || 80, rows: stream.rows || 24, now: now(), color });

  void import("log-update").then(({ createLogUpdate }) => {
    if (!ended) update = createLogUpdate(stream);
  });

  function draw(): void {
    if (update === null || view.run === "") return;
    const text = frame();
    const lines = text.split("\n").length;
    // log-update 7.2 misplaces lines if the number of lines changes and the last ones are equal.
    if (lines !== drawnLines || notes.length > 0) update.clear();
    writeNotes();
    update(text);
    drawnLines = lines;
  }

  function writeNotes(): void {
    if (notes.length > 0) stream.write(`${notes.splice(0).join("\n")}\n`);
  }

  return {
    draw,
    note(event: RunEvent): void {
      notes.push(...noteLine(event, { verbose: options.verbose, styles }));
    },
    end(): void {
      ended = true;
      draw();
      update?.done();
      // A run that ended before log-update was loaded still leaves its last frame.
      if (update === null && view.run !== "") {
        writeNotes();
        stream.write(`${frame()}\n`);
      }
    },
  };
}
