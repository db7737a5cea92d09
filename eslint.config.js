import tseslint from "typescript-eslint";

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
    // A server must be able to say what may be read: the library gets it as `env`, the command line gives all of it.
    files: ["src/**/*.ts"],
    ignores: ["src/cli.ts", "src/commands/**"],
    rules: {
      "no-restricted-properties": [
        "error",
        {
          object: "process",
          property: "env",
          message: "Take an Environment from the caller (src/model/environment.ts)",
        },
      ],
      "no-restricted-imports": [
        "error",
        { paths: [{ name: "node:os", importNames: ["homedir"], message: "It reads HOME: use userHome(env)" }] },
      ],
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
);
