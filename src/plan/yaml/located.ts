/** A value of a plan together with its position. */
import { dirname } from "node:path";
import type { SourcePosition } from "../launchPlan/launchPlan.js";
import type { Mistake } from "./mistakes.js";
import type { Part, SourceFile } from "./source.js";
import type { Path } from "./yamlData.js";

export class Located {
  constructor(
    readonly value: unknown,
    readonly source: SourceFile,
    readonly path: Path,
  ) {}

  /** The root value of a file. */
  static root(source: SourceFile, data: unknown = source.data): Located {
    return new Located(data, source, []);
  }

  /** The folder that relative paths in this file are resolved against. */
  get dir(): string {
    return dirname(this.source.path);
  }

  /** The key or index of this value in its parent. */
  get name(): string {
    return String(this.path.at(-1) ?? "");
  }

  get position(): SourcePosition {
    return { file: this.source.path, ...this.source.position(this.path, "key") };
  }

  /** A string; a number, true or false as written in the source; null for everything else. */
  get text(): string | null {
    if (typeof this.value === "string") return this.value;
    if (typeof this.value === "number" || typeof this.value === "boolean")
      return this.source.written(this.path) ?? String(this.value);
    return null;
  }

  /** The value of a map's own key, or null. */
  get(key: string): Located | null {
    if (!isRecord(this.value) || !Object.hasOwn(this.value, key) || this.value[key] === undefined) return null;
    return new Located(this.value[key], this.source, [...this.path, key]);
  }

  /** Whether a direct child of this map was removed because of a mistake. */
  get cut(): boolean {
    const written = this.path.reduce<unknown>(
      (data, step) => (data as Record<string, unknown> | null)?.[step],
      this.source.data,
    );
    return isRecord(written) && isRecord(this.value) && Object.keys(written).length > Object.keys(this.value).length;
  }

  /** A map's entries. Empty for anything else. */
  entries(): [string, Located][] {
    if (!isRecord(this.value)) return [];
    return Object.entries(this.value)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, new Located(value, this.source, [...this.path, key])]);
  }

  /** A list's items. Empty for anything else. */
  items(): Located[] {
    if (!Array.isArray(this.value)) return [];
    return this.value.flatMap((item: unknown, index) =>
      item === undefined ? [] : [new Located(item, this.source, [...this.path, index])],
    );
  }

  /** Every string inside this value, at any depth, with its position. */
  strings(): Located[] {
    if (typeof this.value === "string") return [this];
    return [...this.items(), ...this.entries().map(([, value]) => value)].flatMap((value) => value.strings());
  }

  mistake(message: string, suggestion: string | null = null, part: Part = "value"): Mistake {
    return this.source.mistake(this.path, part, message, suggestion);
  }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
