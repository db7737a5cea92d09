/**
 * The id of this installation, which marks every machine that it starts. It is also kept beside the database, so that
 * machines can be found if the database is lost.
 */
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";

import type { Db } from "./database.js";
import type { Home } from "../files/home.js";
import { storageWords } from "../../files/storageFailure.js";
import { writeAgain, writeOnce } from "../../files/privateFile.js";
import { StateError } from "../contract/errors.js";

/** An id as `randomUUID` makes it. */
const MARK = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * The installation's id, created at the first use.
 * @param keeps whether an id that is made here is kept. Otherwise no machine can carry it.
 * @throws StateError if its file cannot be read, or if the database has another id: two installations were mixed.
 */
export function readInstallation(db: Db, home: Home, keeps: boolean): string {
  const file = join(home.directory, "installation");
  const recorded = (
    db.prepare("SELECT value FROM meta WHERE key = 'installation'").get() as { value: string } | undefined
  )?.value;
  const found = readMark(file, recorded);
  if (!keeps) return found ?? randomUUID();
  const kept = found ?? writeMark(file, recorded ?? randomUUID());
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

/** @param recorded what the database says: an empty file is written again from it. */
function readMark(file: string, recorded: string | undefined): string | null {
  const mark = readFile(file);
  if (mark === null || MARK.test(mark)) return mark;
  if (mark === "" && recorded !== undefined) return writing(file, () => writeAgain(file, recorded));
  throw new StateError(
    `${file}, the mark of this installation's machines, is ${mark === "" ? "empty" : "damaged"}`,
    recorded === undefined
      ? "restore it from a copy; if this installation has never started a machine, remove it"
      : `write into it what the database says, ${recorded}, or remove it`,
  );
}

function readFile(file: string): string | null {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return null;
    const { message, remedy } = storageWords("read", file, file, error);
    throw new StateError(message, remedy, { cause: error });
  }
}

function writeMark(file: string, mark: string): string {
  return writing(file, () => writeOnce(file, mark));
}

function writing<T>(file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { message, remedy } = storageWords("write", file, dirname(file), error);
    throw new StateError(message, remedy, { cause: error });
  }
}
