/** All redactors of the process, for an error that nobody expected: whose secrets it holds is not known. */
import type { Redactor } from "./redactor.js";

const known = new Set<WeakRef<Redactor>>();
const gone = new FinalizationRegistry<WeakRef<Redactor>>((reference) => known.delete(reference));

/** Keeps the redactor in mind as long as somebody else uses it. */
export function remember(redactor: Redactor): void {
  const reference = new WeakRef(redactor);
  known.add(reference);
  gone.register(redactor, reference);
}

/** The text without any secret that the process knows. */
export function redactByAll(text: string): string {
  return [...known].reduce((all, reference) => reference.deref()?.redact(all) ?? all, text);
}
