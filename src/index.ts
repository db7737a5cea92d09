/** The package's public face. */
/// <reference types="node" preserve="true" />
export * from "./library/index.js";
