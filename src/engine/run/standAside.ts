/** The holder of a run is asked to release it: it stops as after one Ctrl-C, and emits a warning. */
import type { RunRequest } from "../../state/contract/requests.js";
import type { Handled } from "./requests.js";

/** @param stop stops the command: nothing new starts, and running programs are awaited */
export function standAside({ data, origin }: RunRequest, at: number, stop: () => void): Handled {
  stop();
  return {
    answer: { status: "accepted", message: "nothing new starts; the run is released when running programs have ended" },
    event: {
      at,
      type: "warning",
      service: null,
      message: `this command releases the run: requested by ${origin}: ${String(data["reason"])}`,
    },
  };
}
