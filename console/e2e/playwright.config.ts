import { defineConfig } from "playwright/test";

export default defineConfig({
  testDir: ".",
  outputDir: "../node_modules/.playwright",
  // One browser, one service: what one test does, the next one sees.
  workers: 1,
  reporter: "list",
  timeout: 40_000,
  expect: { timeout: 10_000 },
  use: {
    browserName: "chromium",
    colorScheme: "light",
    viewport: { width: 1280, height: 800 },
    timezoneId: "UTC",
    locale: "en-GB",
    launchOptions: {
      executablePath: process.env.CONSOLE_CHROMIUM,
      args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
    },
  },
  projects: [
    { name: "console", testMatch: "*.spec.ts" },
    { name: "large", testMatch: "large.ts", timeout: 120_000 },
    { name: "screenshots", testMatch: "screenshots.ts", timeout: 240_000 },
  ],
});
