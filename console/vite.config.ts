import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { defineConfig } from "vitest/config";

/** Writes each file of the build compressed beside it: the server hands out what the client takes. */
function compressed() {
  let folder = "dist";
  return {
    name: "compressed",
    apply: "build" as const,
    configResolved(config: { build: { outDir: string } }) {
      folder = config.build.outDir;
    },
    closeBundle() {
      for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
        if (!/\.(?:js|css|html|svg)$/.test(name)) continue;
        const path = join(folder, name);
        const content = readFileSync(path);
        writeFileSync(`${path}.br`, brotliCompressSync(content));
        writeFileSync(`${path}.gz`, gzipSync(content, { level: 9 }));
      }
    },
  };
}

export default defineConfig({
  plugins: [compressed()],
  build: {
    target: "es2022",
    // The colours are written with `light-dark()`.
    cssTarget: ["chrome123", "firefox128", "safari18"],
    // The page is served under `default-src 'self'`: nothing may end up inline.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    proxy: {
      "/api": "http://127.0.0.1:8099",
      "/ws": { target: "ws://127.0.0.1:8099", ws: true },
    },
  },
  test: {
    projects: [
      { extends: true, test: { name: "unit", include: ["tests/unit/**/*.test.ts"], environment: "node" } },
      {
        extends: true,
        test: {
          name: "browser",
          include: ["tests/browser.test.ts", "tests/browser/*.test.ts"],
          environment: "node",
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
    ],
  },
});
