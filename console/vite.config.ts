import { defineConfig } from "vitest/config";

export default defineConfig({
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
