/** Generates the subset of SVG that the chart needs. */
import { stripControl } from "../terminalText.js";

export type Attributes = Readonly<Record<string, string | number>>;

/** An element; children are SVG text. Numbers are rounded to a tenth of a pixel. */
export function element(name: string, attributes: Attributes, ...children: readonly string[]): string {
  const words = Object.entries(attributes)
    .map(([key, value]) => ` ${key}="${typeof value === "number" ? Math.round(value * 10) / 10 : escapeText(value)}"`)
    .join("");
  return children.length === 0 ? `<${name}${words}/>` : `<${name}${words}>${children.join("")}</${name}>`;
}

/** A line of text with its baseline at `y`. */
export function text(x: number, y: number, content: string, attributes: Attributes = {}): string {
  return element("text", { x, y, ...attributes }, escapeText(content));
}

/** A tooltip for the enclosing element. */
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

/** Escapes any text for XML: sanitized, on one line, without the two characters that XML forbids. */
export function escapeText(content: string): string {
  return stripControl(content)
    .replace(/[\ufffe\uffff]/g, "")
    .replace(/[&<>"']/g, (character) => ESCAPES[character] ?? "");
}
