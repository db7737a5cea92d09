/** Requests that a program sends again after a broken connection are handled once. */
import type { BlHandler, BlReply } from "./blRequest.js";

/** The most answers that are kept. Each waiting `bl` has one open request, so older ones have arrived. */
const KEPT = 10_000;

/**
 * Wraps the handler of one program's requests. A request that was handled and is sent again gets the same answer. What
 * only reads (`get`) is handled again.
 */
export function answeredOnce(handler: BlHandler): BlHandler {
  /** By id; null if the request came to nothing, since nobody waited for it any more. */
  const answers = new Map<string, Promise<BlReply | null>>();
  return async (request, gone, delivery) => {
    if (delivery.again) {
      const earlier = (await answers.get(delivery.id)) ?? null;
      if (earlier !== null) return earlier;
    }
    const answer = handler(request, gone, delivery);
    if (request.verb === "get") return answer;
    const kept = answer.then(
      (reply) => (reply.code === 10 ? null : reply),
      () => null,
    );
    answers.set(delivery.id, kept);
    if (answers.size > KEPT) answers.delete(answers.keys().next().value as string);
    return answer;
  };
}
