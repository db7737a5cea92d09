/** Reads a monitoring plugin's output strictly, by the Monitoring Plugins Development Guidelines. */

export interface PluginOutput {
  readonly state: string;
  readonly text: string;
  /** By label. */
  readonly data: Readonly<
    Record<string, { readonly value: number; readonly unit: string; readonly min: string; readonly max: string }>
  >;
}

const DATUM =
  /^('(?:[^'=]|'')+'|[^\s'=|;]+)=(-?[0-9.]+)(us|ms|s|%|B|KB|MB|TB|c)?;([^;\s]*);([^;\s]*);(-?[0-9.]*)(?:;(-?[0-9.]*))?$/;

/** @param line without its line break. @throws for everything that the guidelines do not allow. */
export function parsePluginLine(line: string): PluginOutput {
  if (/[\n\r]/.test(line)) throw new Error(`more than one line: ${JSON.stringify(line)}`);
  if (Buffer.byteLength(line) > 1023) throw new Error(`too long, ${Buffer.byteLength(line)} bytes`);
  const parts = line.split("|");
  if (parts.length > 2) throw new Error(`a "|" in the text: ${line}`);
  const [, state, text] = /^BOOTLEVEL (OK|WARNING|CRITICAL|UNKNOWN) - (\S.*?) ?$/.exec(parts[0] ?? "") ?? [];
  if (state === undefined || text === undefined) throw new Error(`no plugin's line: ${line}`);
  const data: Record<string, PluginOutput["data"][string]> = {};
  for (const word of (parts[1] ?? "").split(" ").filter((one) => one !== "")) {
    const [, label, value, unit, , , min, max] = DATUM.exec(word) ?? [];
    if (label === undefined) throw new Error(`no performance data: ${word}`);
    if (label in data) throw new Error(`twice: ${label}`);
    data[label] = { value: Number(value), unit: unit ?? "", min: min ?? "", max: max ?? "" };
  }
  return { state, text, data };
}
