/** Says which files a report's limits cut off. */
import type { CutFile } from "../../state/contract/reportArchive.js";
import { writeByteSize } from "../../text/byteSize.js";
import type { GatherParts } from "./gather.js";

/** The most files that a message names. */
const MOST_NAMED = 5;

/** @param more how many cut files are not in the list. */
export function cutWords(cut: readonly CutFile[], more: number, { fileBytes, bytes }: GatherParts["limits"]): string {
  const named = cut
    .slice(0, MOST_NAMED)
    .map(({ file, bytes: size, kept }) =>
      kept === 0
        ? `${file} (${writeByteSize(size)}) was left out`
        : `${file} was cut off after ${writeByteSize(kept)} of ${writeByteSize(size)}`,
    );
  const others = cut.length - named.length + more;
  return (
    `${named.join(", ")}${others > 0 ? `, and ${others} more` : ""}: the limit is ${writeByteSize(fileBytes)} a file ` +
    `(file_limit of the report) and ${writeByteSize(bytes)} in all (limit); raise both with --report-limit SIZE, such as 20GiB`
  );
}
