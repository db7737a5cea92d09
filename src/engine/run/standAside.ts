/** A holder that is asked to let its run go: it stops as after one Ctrl-C, and says so. */
import type { RunRequest } from "../../state/contract/requests.js";
import type { Handled } from "./requests.js";

/** @param stop makes the command stop: nothing new is started, and what runs is waited for */
export function standAside({ data, origin }: RunRequest, at: number, stop: () => void): Handled {
  stop();
  return {
    answer: { status: "accepted", message: "nothing new is started; the run is let go when what runs has ended" },
    event: {
      at,
      type: "warning",
      service: null,
      message: `this command lets the run go: ${origin} has asked for that: ${String(data["reason"])}`,
    },
  };
}
