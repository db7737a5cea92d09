/**
 * Plays Amazon where a call comes again: a launch with a known token gives the first answer once more. moto heeds no
 * token.
 */
import { refusal, type Layer, type Reply } from "../moto.js";

/** @param isOn whether tokens are heeded. */
export function tokenLayer(isOn: () => boolean): Layer {
  const known = new Map<string, { readonly words: string; readonly reply: Promise<Reply | "cut"> }>();
  return async (call, next) => {
    const token = call.parameters.get("ClientToken");
    if (!isOn() || call.action !== "RunInstances" || token === null || call.parameters.get("DryRun") === "true")
      return next(call);
    const words = wordsOf(call.parameters);
    const before = known.get(token);
    if (before !== undefined) {
      const reply = await before.reply;
      if (reply !== "cut" && reply.status < 400) return before.words === words ? reply : mismatch();
    }
    const reply = next(call);
    known.set(token, { words, reply });
    return reply;
  };
}

function wordsOf(parameters: URLSearchParams): string {
  const all = new URLSearchParams(parameters);
  for (const name of ["ClientToken", "Version"]) all.delete(name);
  all.sort();
  return all.toString();
}

function mismatch(): Reply {
  return refusal({
    status: 400,
    code: "IdempotentParameterMismatch",
    message: "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
  });
}
