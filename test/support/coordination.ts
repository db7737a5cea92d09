/** Answers for programs that talk, as small as they can be: values by name, barriers, and what was said. */
import { readdirSync, readlinkSync } from "node:fs";
import type { BlHandler, BlReply, BlRequest } from "../../src/machines/coordination/blRequest.js";

export interface Attributes {
  readonly handler: BlHandler;
  readonly values: Map<string, Buffer>;
  /** Every request so far. */
  readonly requests: BlRequest[];
  /** Those whose caller has gone. */
  readonly gone: BlRequest[];
}

export function attributes(): Attributes {
  const values = new Map<string, Buffer>();
  const [requests, gone]: [BlRequest[], BlRequest[]] = [[], []];
  const waiting = new Set<() => void>();
  const there = new Map<string, number>();
  const wake = (): void => {
    for (const look of waiting) look();
  };

  /** Resolves when `look` gives an answer. */
  const when = (look: () => BlReply | null, { timeoutMs }: BlRequest, signal: AbortSignal): Promise<BlReply> =>
    new Promise((resolve) => {
      let timer: NodeJS.Timeout | undefined;
      const end = (reply: BlReply): void => {
        clearTimeout(timer);
        waiting.delete(again);
        resolve(reply);
      };
      const again = (): void => {
        const reply = look();
        if (reply !== null) end(reply);
      };
      waiting.add(again);
      if (timeoutMs !== null)
        timer = setTimeout(() => {
          end({ code: 9, message: "timed out" });
        }, timeoutMs);
      signal.addEventListener("abort", () => {
        end({ code: 10 });
      });
      again();
    });

  const handler: BlHandler = async (request, signal) => {
    requests.push(request);
    signal.addEventListener("abort", () => {
      gone.push(request);
    });
    switch (request.verb) {
      case "set":
        values.set(request.name, request.value);
        wake();
        return { code: 0 };
      case "get": {
        if (request.name === "nobody") return { code: 7, message: "nobody has a value named nobody" };
        const look = (): BlReply | null =>
          values.has(request.name) ? { code: 0, value: values.get(request.name) as Buffer } : null;
        return request.wait ? when(look, request, signal) : (look() ?? { code: 1, message: "not set" });
      }
      case "barrier":
        there.set(request.name, (there.get(request.name) ?? 0) + 1);
        wake();
        return when(
          () => ((there.get(request.name) ?? 0) >= (request.parties ?? 1) ? { code: 0 } : null),
          request,
          signal,
        );
      case "abort":
        return { code: 8, message: request.value.toString("utf8") };
      case "say":
        return { code: 0 };
    }
  };
  return { handler, values, requests, gone };
}

/** Processes that work in this directory or have something of it open. */
export function usersOf(directory: string): string[] {
  const inside = (path: string): boolean => {
    try {
      return readlinkSync(path).startsWith(directory);
    } catch {
      return false; // it has ended, or closed it
    }
  };
  const openOf = (pid: string): string[] => {
    try {
      return readdirSync(`/proc/${pid}/fd`).map((fd) => `/proc/${pid}/fd/${fd}`);
    } catch {
      return []; // it has ended
    }
  };
  return readdirSync("/proc")
    .filter((name) => /^[0-9]+$/.test(name))
    .filter((pid) => [`/proc/${pid}/cwd`, ...openOf(pid)].some(inside));
}
