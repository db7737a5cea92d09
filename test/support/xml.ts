/** Reads XML with a parser that is not ours: Python's expat, which the build needs Python for anyway. */
import { execFileSync } from "node:child_process";

export interface XmlElement {
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  /** Its own text, before its first child. */
  readonly text: string;
}

const SCRIPT = `
import json, sys, xml.etree.ElementTree as tree
json.dump([{"name": e.tag.split("}")[-1], "attributes": e.attrib, "text": e.text or ""} for e in tree.fromstring(sys.stdin.buffer.read()).iter()], sys.stdout)
`;

/** Every element of the document, in its order. @throws when the text is not well-formed. */
export function parseXml(text: string): XmlElement[] {
  return JSON.parse(
    execFileSync("python3", ["-c", SCRIPT], {
      input: text,
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
      stdio: ["pipe", "pipe", "pipe"],
    }),
  ) as XmlElement[];
}
