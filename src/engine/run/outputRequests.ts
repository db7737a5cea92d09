/** What operators ask of the holder of a run for its programs: to set an output, to show a message. */
import { isStateError } from "../../state/contract/errors.js";
import type { RunRequest } from "../../state/contract/requests.js";
import type { RunContext } from "./context.js";
import type { Handled } from "./requests.js";
import { chooseOneService } from "./selection.js";

/** Sets an output. The answer comes when it is on disk. */
export function setOutputAsAsked(context: RunContext, request: RunRequest): Promise<Handled> {
  return asAsked(context, request, async (service, payload) => {
    const { code, message = "" } = await context.coordination.setOutput(
      service,
      String(request.data["output"]),
      payload,
    );
    return code === 0 ? accepted : { answer: { status: "refused", message } };
  });
}

/** Shows a message of a service. */
export function sayAsAsked(context: RunContext, request: RunRequest): Promise<Handled> {
  return asAsked(context, request, async (service, payload) => {
    await context.coordination.sayFor(service, payload);
    return accepted;
  });
}

const accepted: Handled = { answer: { status: "accepted", message: "done" } };

async function asAsked(
  context: RunContext,
  { id, data }: RunRequest,
  act: (service: ReturnType<typeof chooseOneService>, payload: Buffer) => Promise<Handled>,
): Promise<Handled> {
  const payload = await context.store.requestPayload(context.run, id);
  if (payload === null) return { answer: { status: "too-late", message: "the request was withdrawn" } };
  try {
    return await act(chooseOneService(context, String(data["service"])), payload);
  } catch (error) {
    if (!isStateError(error)) throw error;
    return { answer: { status: "refused", message: error.message, remedy: error.remedy } };
  }
}
