/** The names in a folder, as bytes: not every name on a disk is text. */
import { readdirSync } from "node:fs";

export interface Entry {
  /** The name, with U+FFFD for what is not UTF-8. */
  readonly name: string;
  readonly isUtf8: boolean;
}

/** The names in a folder, sorted. @throws the error of the file system. */
export function entriesOf(folder: string): Entry[] {
  return readdirSync(folder, { encoding: "buffer" })
    .map((bytes): Entry => {
      const name = bytes.toString("utf8");
      return { name, isUtf8: Buffer.from(name, "utf8").equals(bytes) };
    })
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

/** Why a link that leads nowhere cannot be packed, in words. */
export function danglingLink(name: string): string {
  const what = "is a link to something that does not exist";
  return name.startsWith(".#")
    ? `${what}: Emacs makes one while a file is edited. Save the file, or remove the link`
    : `${what}: remove or correct it`;
}

export const NOT_UTF8 = "has a name that is not UTF-8: rename it";
