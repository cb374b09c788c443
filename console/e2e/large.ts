/** A million executions: the document stays small, any row is near, and scrolling does not stutter. */

import type { Page } from "playwright/test";
import { expect, open, settled, test } from "./stage";

const MOST_ROWS = 120;

const rows = (page: Page) => page.locator(".grid-body > .grid-row");

test("a million executions are scrolled through, and any of them is reached", async ({ page }) => {
  await open(page, "executions");
  await settled(page, "Executions");
  const grid = page.getByRole("grid", { name: "Executions" });
  // The total is an estimate.
  await expect(page.locator(".grid-foot")).toContainText(/of (about )?(999|1,00\d),\d{3}/);

  const frames = await grid.evaluate(async (element) => {
    const times: number[] = [];
    let most = 0;
    for (let frame = 0, before = performance.now(); frame < 240; frame++) {
      // A page and a half each frame, then far away.
      element.scrollTop += frame < 200 ? 1_200 : element.scrollHeight / 50;
      const now = await new Promise<number>((resolve) => requestAnimationFrame(resolve));
      times.push(now - before);
      before = now;
      most = Math.max(most, element.querySelectorAll(".grid-body > .grid-row").length);
    }
    times.sort((a, b) => a - b);
    return { median: times[120] ?? 0, p95: times[228] ?? 0, worst: times[239] ?? 0, most };
  });
  // biome-ignore lint/suspicious/noConsole: figures for the report
  console.info(`frames while scrolling, in ms: ${JSON.stringify(frames)}`);
  expect(frames.most).toBeLessThan(MOST_ROWS);
  // Without a graphics card and beside the service; on a screen, a frame is the display's.
  expect(frames.median).toBeLessThan(50);
  expect(frames.p95).toBeLessThan(200);
  await settled(page, "Executions");

  const began = Date.now();
  await grid.focus();
  await page.keyboard.press("End");
  const lastId = rows(page).last().getByRole("gridcell").first();
  await expect(lastId).toHaveText(/^\d{1,4}$/);
  // biome-ignore lint/suspicious/noConsole: a figure for the report
  console.info(`the end of a million rows after ${Date.now() - began} ms`);

  await page.keyboard.press("j");
  await page.getByRole("dialog").getByLabel("Id", { exact: true }).fill("654321");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("complementary", { name: "Execution 654321" })).toBeVisible();
  await expect(rows(page).first().getByRole("gridcell").first()).toHaveText("654321");
  await page.keyboard.press("Escape");

  await open(page, "executions");
  await settled(page, "Executions");
  await page.keyboard.press("j");
  await page.getByRole("dialog").getByLabel(/^Time/).fill("2025-11-30T12:00:00");
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(/to=2025-11-30T12:00:00.000Z/);
  await settled(page, "Executions");
  const id = Number(await rows(page).first().getByRole("gridcell").first().textContent());
  expect(id).toBeGreaterThan(400_000);
  expect(id).toBeLessThan(600_000);
});
