/** Waits until cloud-init has finished the machine's first boot, where the machine has cloud-init. */
import { ConnectionError, isConnectionLostError } from "../contract/connection.js";
import { runQuery } from "./query.js";
import type { MachineLink } from "../contract/link.js";

/** How cloud-init ended. `lines`: its own output, the most relevant lines last. "late": it did not finish in time. */
export interface CloudInitEnd {
  readonly kind: "absent" | "done" | "degraded" | "failed" | "late";
  /** Exit code of `cloud-init status --wait`, or null. */
  readonly code: number | null;
  readonly lines: readonly string[];
}

/** The machine enforces the time limit itself. This is the extra time, in milliseconds, that it may stay silent. */
const SLACK_MS = 30_000;

/**
 * Polls until cloud-init has finished or `limitMs` is over. Asks again after a lost connection, because cloud-init may
 * restart sshd or the machine.
 * @throws ConnectionError when the machine cannot be asked, or `signal` aborts.
 */
export async function waitForCloudInit(link: MachineLink, limitMs: number, signal: AbortSignal): Promise<CloudInitEnd> {
  const began = performance.now();
  for (;;) {
    const leftMs = Math.max(0, limitMs - (performance.now() - began));
    try {
      const { said, words } = await runQuery(await link.connection(), (say) => script(say, leftMs), {
        limitMs: leftMs + SLACK_MS,
        signal,
      });
      const end = said.find((line) => line.startsWith("end ")) ?? "";
      if (end === "")
        throw new ConnectionError(
          `the machine's shell gave no answer about cloud-init${words === "" ? "" : ` (${words})`}. Check that its login shell runs commands`,
        );
      return judge(
        end.slice("end ".length),
        said.filter((line) => line.startsWith("text ")).map((line) => line.slice("text ".length).trimEnd()),
      );
    } catch (error) {
      if (!isConnectionLostError(error) || leftMs === 0) throw error;
    }
  }
}

/** Since cloud-init 23.4, exit code 2 means that it continued after errors. */
function judge(word: string, lines: readonly string[]): CloudInitEnd {
  if (word === "absent" || word === "late") return { kind: word, code: null, lines };
  const code = Number(word);
  return { kind: code === 0 ? "done" : code === 2 ? "degraded" : "failed", code, lines };
}

/** The reason that cloud-init gives in the lines of `cloud-init status --long`; "" if it gives none. */
export function cloudInitReason(lines: readonly string[]): string {
  const at = lines.findLastIndex((line) => /^(errors|recoverable_errors):/.test(line));
  const listed = lines.slice(at + 1).find((line) => /^\s*- /.test(line));
  if (at >= 0 && listed !== undefined) return listed.replace(/^\s*- /, "");
  const detail = lines.findLastIndex((line) => /^detail:/.test(line));
  if (detail < 0) return "";
  return (lines[detail] ?? "").replace(/^detail:\s*/, "") || (lines[detail + 1] ?? "").trim();
}

/**
 * The periodic empty lines detect a broken channel: when nobody reads any more, writing them ends this script and the
 * processes that it started.
 */
function script(say: string, limitMs: number): string {
  return [
    say,
    "PATH=$PATH:/usr/local/bin:/usr/bin:/bin; export PATH",
    "command -v cloud-init >/dev/null 2>&1 || { say end absent; exit 0; }",
    "f=/var/log/cloud-init-output.log",
    'tell() { { if [ -r $f ]; then tail -n 8 $f; else sudo -n tail -n 8 $f; fi; cloud-init status --long | tail -n 12; } 2>/dev/null </dev/null | while IFS= read -r l; do say text "$l"; done; }',
    "trap '' PIPE",
    "cloud-init status --wait >/dev/null 2>&1 </dev/null & w=$!",
    `i=0; while kill -0 $w 2>/dev/null; do`,
    `  [ $i -lt ${Math.ceil(limitMs / 200)} ] || { kill $w; tell; say end late; exit 0; }`,
    "  [ $((i%25)) -ne 0 ] || echo || { kill $w; exit 1; }",
    "  i=$((i+1)); { sleep 0.2 2>/dev/null || sleep 1; }",
    "done",
    "wait $w; c=$?; [ $c -eq 0 ] || tell; say end $c",
  ].join("\n");
}
