import { build } from "esbuild";
import { mkdirSync } from "node:fs";
mkdirSync("/tmp/wt/fast/.bench",{recursive:true});
await build({ entryPoints: process.argv.slice(2).map(n=>`/tmp/wt/fast/bench/${n}.ts`), outdir: "/tmp/wt/fast/.bench", outExtension: { ".js": ".mjs" }, bundle: true, platform: "node", format: "esm", target: "node20.19", packages: "external" });
