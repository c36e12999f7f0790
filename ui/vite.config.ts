import { readFileSync } from "node:fs";
import { join } from "node:path";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const ui = import.meta.dirname;
/** The workspace's version, one for the servers, the programs and these pages. */
const version = /^version = "(.+)"$/m.exec(readFileSync(join(ui, "../Cargo.toml"), "utf8"))?.[1];
const define = { __ROLLCALL_VERSION__: JSON.stringify(version) };

/**
 * Each console is an entry of its own: `--mode provider` or `--mode school`. `--mode provider-fake` and `school-fake` are
 * the same pages over the fake program, for a plain browser.
 */
export default defineConfig(({ mode }) => {
  const [app = "provider", fake] = mode.split("-");
  const alias = {
    ...(fake ? { "@/shell/program": join(ui, "src/shell/fake/program.ts") } : {}),
    "@": join(ui, "src"),
  };
  if (mode === "test") {
    return {
      plugins: [react()],
      define,
      resolve: { alias },
      test: {
        environment: "jsdom",
        include: ["src/**/*.test.{ts,tsx}", "apps/**/*.test.{ts,tsx}", "tests/**/*.test.{ts,tsx}"],
        setupFiles: ["tests/setup.ts"],
        testTimeout: 60_000,
        // In "test" antd gives every dialog one id, so that one dialog answers to another's name.
        env: { NODE_ENV: "development" },
        css: false,
      },
    };
  }
  return {
    root: join(ui, "apps", app),
    base: "./",
    plugins: [react(), tailwindcss()],
    define,
    resolve: { alias },
    build: {
      outDir: join(ui, fake ? "dist-fake" : "dist", app),
      emptyOutDir: true,
      target: "safari16",
      chunkSizeWarningLimit: 2_000,
    },
    server: { port: app === "provider" ? 5173 : 5174, strictPort: true },
  };
});
