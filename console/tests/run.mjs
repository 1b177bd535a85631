// Runs a TypeScript file of this folder on a Node that cannot do so by itself: node tests/run.mjs mock --alerts 5000
import { runnerImport } from "vite";

const file = process.argv.splice(2, 1)[0];
await runnerImport(new URL(`./${file}.ts`, import.meta.url).pathname);
