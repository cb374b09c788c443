import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const service = process.env.TRADE_SERVICE_URL ?? "http://127.0.0.1:8082";

export default defineConfig(({ command }) => ({
  // Relative, so that the bundle works below any path a proxy publishes it under.
  base: command === "serve" ? "/console/" : "./",
  plugins: [react()],
  build: {
    outDir: "../src/trade_service/web/console",
    emptyOutDir: true,
    modulePreload: { polyfill: false },
    target: "es2022",
    assetsInlineLimit: 0,
    reportCompressedSize: true,
  },
  server: {
    host: "127.0.0.1",
    port: 5173,
    proxy: { "/api": service, "/actuator": service, "/schema": service },
  },
  test: {
    environment: "jsdom",
    include: ["src/**/*.test.{ts,tsx}"],
    // One document for all: making one takes longer than all tests.
    isolate: false,
    fileParallelism: false,
  },
}));
