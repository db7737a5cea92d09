/**
 * The id of this installation, which marks every machine that it starts. It is also kept beside the database, so that
 * machines can be found if the database is lost.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";

import type { Db } from "./database.js";
import type { Home } from "../files/home.js";
import { writeOnce } from "../../files/privateFile.js";
import { StateError } from "../contract/errors.js";

/**
 * The installation's id, created at the first use.
 * @throws StateError if its file cannot be read, or if the database has another id: two installations were mixed.
 */
export function readInstallation(db: Db, home: Home): string {
  const file = join(home.directory, "installation");
  const recorded = (
    db.prepare("SELECT value FROM meta WHERE key = 'installation'").get() as { value: string } | undefined
  )?.value;
  const kept = readMark(file) ?? writeOnce(file, recorded ?? randomUUID());
  if (recorded === undefined)
    db.prepare("INSERT OR IGNORE INTO meta (key, value) VALUES ('installation', ?)").run(kept);
  else if (recorded !== kept) {
    throw new StateError(
      `${file} belongs to installation ${kept}, but the database beside it to ${recorded}`,
      "restore the file and the database of one installation",
    );
  }
  return kept;
}

function readMark(file: string): string | null {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    throw new StateError(`cannot read ${file}: ${(error as Error).message}`, "make the file readable", {
      cause: error,
    });
  }
}
