/** The little of SVG that a picture needs, as text. */
import { stripControl } from "../terminalText.js";

export type Attributes = Readonly<Record<string, string | number>>;

/** An element with children that are SVG already. Numbers are cut to a tenth of a pixel. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const words = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? Math.round(value * 10) / 10 : escapeText(value)}"`)
    .join("");
  return children.length === 0 ? `<${name}${words}/>` : `<${name}${words}>${children.join("")}</${name}>`;
}

/** A line of text with its base line at `y`. */
export function text(x: number, y: number, content: string, attributes: Attributes = {}): string {
  return element("text", { x, y, ...attributes }, escapeText(content));
}

/** What a viewer shows when the pointer rests on the element that it stands in. */
export function hoverTitle(content: string): string {
  return element("title", {}, escapeText(content));
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/** Any text as XML: harmless, on one line, and without the two characters that no XML document may have. */
export function escapeText(content: string): string {
  return stripControl(content)
    .replace(/[\ufffe\uffff]/g, "")
    .replace(/[&<>"']/g, (character) => ESCAPES[character] ?? "");
}
