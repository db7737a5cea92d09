import tseslint from "typescript-eslint";

/** Which folder may import which: the architecture as a rule, so that a breach fails the build. */
const layers = [
  { files: ["src/drivers/**"], forbid: ["engine", "state", "commands", "reporting"] },
  { files: ["src/machines/**"], forbid: ["engine", "state", "commands", "reporting", "drivers", "plan"] },
  { files: ["src/plan/**"], forbid: ["engine", "state", "commands", "reporting", "machines"] },
  { files: ["src/state/**"], forbid: ["engine", "commands", "machines", "drivers", "reporting"] },
  { files: ["src/engine/**"], forbid: ["commands", "reporting"] },
  { files: ["src/reporting/**"], forbid: ["commands", "engine", "state", "machines", "drivers"] },
];

export default tseslint.config(
  { ignores: ["dist/", "node_modules/", "coverage/"] },
  ...tseslint.configs.recommendedTypeChecked.map((config) => ({
    ...config,
    files: ["src/**/*.ts", "test/**/*.ts", "bench/**/*.ts"],
  })),
  {
    files: ["src/**/*.ts", "test/**/*.ts", "bench/**/*.ts"],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "@typescript-eslint/require-await": "off",
      "no-empty": ["error", { allowEmptyCatch: false }],
      eqeqeq: "error",
    },
  },
  {
    // Tests read JSON documents as their users do: untyped.
    files: ["test/**/*.ts"],
    rules: Object.fromEntries(
      ["assignment", "call", "member-access", "argument", "return"].map((kind) => [
        `@typescript-eslint/no-unsafe-${kind}`,
        "off",
      ]),
    ),
  },
  ...layers.map(({ files, forbid }) => ({
    files,
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: forbid.map((folder) => ({
            group: [`**/${folder}/**`],
            message: `${files[0]} must not know ${folder}/: see docs/architecture.md`,
          })),
        },
      ],
    },
  })),
  {
    files: ["src/commands/**"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            {
              group: ["**/engine/**", "**/state/**", "**/drivers/**", "**/machines/**", "**/plan/**"],
              message: "The command line uses the library's public face only: import from ../index.js",
            },
          ],
        },
      ],
    },
  },
);
