/** An analysis as tables for the terminal. */
import type { ChainPart, RunSection, SectionAnalysis } from "../model/analysis.js";
import { outcomeWords, PART_WORDS, partWords, resultWords, shareWords } from "./analysisText.js";
import { formatTable, type TableOptions } from "./table.js";
import { formatDuration, formatTime } from "./time.js";

type TableStyle = Pick<TableOptions, "columns" | "color">;

/** The sections of a run, one line each. */
export function formatSections(sections: readonly RunSection[], look: TableStyle): string {
  const rows = sections.map((section) => [
    String(section.number),
    section.verb,
    formatTime(section.startedAt),
    formatDuration(section.ms),
    resultWords(section),
  ]);
  return formatTable(["NO", "COMMAND", "STARTED", "TOOK", "RESULT"], rows, {
    ...look,
    align: ["right", "left", "left", "right"],
  });
}

/** The longest steps, with a column for time spent waiting for a slot if any step waited. */
export function formatBlame({ blame }: SectionAnalysis, look: TableStyle): string {
  const waited = blame.some((step) => step.waitedMs > 0);
  const rows = blame.map((step) => [
    step.service,
    step.level,
    step.step,
    String(step.attempt),
    formatDuration(step.ms),
    ...(waited ? [formatDuration(step.waitedMs)] : []),
    outcomeWords(step),
  ]);
  const head = ["SERVICE", "LEVEL", "STEP", "TRY", "TOOK", ...(waited ? ["WAITED"] : []), "OUTCOME"];
  return formatTable(head, rows, {
    ...look,
    align: ["left", "left", "left", "right", "right", ...(waited ? ["right" as const] : [])],
  });
}

/** The critical path with its total. */
export function formatChain({ chain, chainMs, wallMs }: SectionAnalysis, look: TableStyle): string {
  const folded = foldTries(chain);
  const rows = folded.map((part, index) => {
    const before = folded[index - 1];
    const level = before !== undefined && before.level === part.level ? "" : (part.level ?? "(between levels)");
    const service = before?.service === part.service && before?.level === part.level ? "" : (part.service ?? "");
    return [level, service, part.words, formatDuration(part.ms), shareWords(part.share)];
  });
  const share = wallMs === 0 ? 1 : chainMs / wallMs;
  const table = formatTable(["LEVEL", "SERVICE", "PART", "TOOK", "SHARE"], rows, {
    ...look,
    align: ["left", "left", "left", "right", "right"],
  });
  return (
    `${table}\n\n` + `Total: ${formatDuration(chainMs)}, ${shareWords(share)} of the elapsed ${formatDuration(wallMs)}.`
  );
}

interface FoldedPart {
  readonly level: string | null;
  readonly service: string | null;
  readonly words: string;
  readonly ms: number;
  readonly share: number;
}

/** Up to this number, tries and the pauses between them are listed one by one. */
const FEW_TRIES = 3;

/** Folds many tries of a service into one line per kind: all tries, all waits for a slot, all pauses. */
function foldTries(chain: readonly ChainPart[]): FoldedPart[] {
  const lines: FoldedPart[] = [];
  for (const stretch of stretches(chain)) {
    const tries = stretch.filter((part) => part.kind === "ready");
    if (tries.length <= FEW_TRIES) {
      lines.push(...stretch.map((part) => ({ ...part, words: partWords(part) })));
      continue;
    }
    for (const kind of ["ready", "place", "pause"] as const) {
      const parts = stretch.filter((part) => part.kind === kind);
      const [first] = parts;
      if (first !== undefined)
        lines.push({
          ...first,
          words: `${PART_WORDS[kind]}, ${parts.length} times`,
          ms: sum(parts, "ms"),
          share: sum(parts, "share"),
        });
    }
  }
  return lines;
}

/** Groups the parts of one verification; every other part is a group of its own. */
function stretches(chain: readonly ChainPart[]): ChainPart[][] {
  const groups: ChainPart[][] = [];
  for (const part of chain) {
    const group = groups.at(-1);
    const last = group?.at(-1);
    const continues =
      last !== undefined &&
      last.service === part.service &&
      last.level === part.level &&
      isVerifying(last) &&
      isVerifying(part);
    if (group !== undefined && continues) group.push(part);
    else groups.push([part]);
  }
  return groups;
}

function isVerifying({ kind }: ChainPart): boolean {
  return kind === "ready" || kind === "pause" || kind === "place";
}

function sum(parts: readonly ChainPart[], field: "ms" | "share"): number {
  return parts.reduce((total, part) => total + part[field], 0);
}
