/** Outputs of a run's services: reads them, and sets them. */
import { withRun } from "./openRecord.js";
import { work, type HomeOption, type WatchOptions } from "./options.js";
import type { RunOutputs, SetOutputResult, SettableOutput } from "./types.js";

/**
 * Reads the outputs of all services, or one attribute.
 * @param options.name `SERVICE.NAME` of an output or another attribute. Default: all outputs.
 * @param options.reveal includes the values of secrets. Default: false.
 * @throws UnknownRunError, StateError for a service or name that the run does not have
 */
export async function readOutputs(
  run: string,
  options: HomeOption & { readonly name?: string; readonly reveal?: boolean } = {},
): Promise<RunOutputs> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/operations/outputs.js")).readOutputs(store, record, {
      name: options.name ?? null,
      reveal: options.reveal ?? false,
    }),
  );
}

/**
 * Finds an output that the plan declares, to set it.
 * @param name `SERVICE.NAME`
 * @throws UnknownRunError, StateError for a terminated run, and for a service or output that it does not have
 */
export async function findOutput(run: string, name: string, options: HomeOption = {}): Promise<SettableOutput> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/operations/setOutput.js")).findOutput(store, record, name),
  );
}

/**
 * Sets an output, as a program of the service does with `bl set`. While another launcher works on the run, that one
 * sets it, and programs that wait for it go on.
 * @param name `SERVICE.NAME`
 * @throws UnknownRunError, StateError as in `findOutput` and for a value that is too large, RunBusyError when that
 *   launcher does not answer
 */
export async function setOutput(
  run: string,
  name: string,
  value: Buffer,
  options: HomeOption & WatchOptions = {},
): Promise<SetOutputResult> {
  return withRun(run, options, async (store, record) =>
    (await import("../engine/operations/setOutput.js")).setOutput(store, record, {
      name,
      value,
      ...work(options),
    }),
  );
}
