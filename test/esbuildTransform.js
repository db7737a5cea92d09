/** Lets jest read TypeScript, with the compiler that also builds dist/. Types are the type checker's business. */
import { transformSync } from "esbuild";

export default {
  process(source, filename) {
    return transformSync(source, {
      loader: "ts",
      format: "esm",
      target: "node20.19",
      sourcemap: "inline",
      sourcefile: filename,
    });
  },
};
