/**
 * Many waits for one signal. A signal looks through all of its listeners for each one that is added, so ten thousand
 * waits have one listener together.
 */
const waits = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Calls back when the signal aborts, at once if it has.
 * @returns ends the wait
 */
export function onAbort(signal: AbortSignal, call: () => void): () => void {
  if (signal.aborted) {
    call();
    return () => undefined;
  }
  const known = waits.get(signal) ?? listen(signal);
  known.add(call);
  return () => {
    known.delete(call);
  };
}

function listen(signal: AbortSignal): Set<() => void> {
  const calls = new Set<() => void>();
  waits.set(signal, calls);
  const onEnd = (): void => {
    for (const call of calls) call();
    calls.clear();
  };
  signal.addEventListener("abort", onEnd, { once: true });
  return calls;
}
