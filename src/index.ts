/** The package's public face. */
export * from "./library/index.js";
