/** Open mode, and a replica that is killed while one looks at it. */

import { expect, openPid, restartOpen, settled, stage, test } from "./stage";

test("open mode says so in red; a killed replica is noticed, and its return too", async ({
  page,
  watched,
}) => {
  watched.allowed.push(/Failed to load resource/);
  await page.goto(`${stage.openUrl}/console/executions`);
  await settled(page, "Executions");
  const banner = page.locator(".banner-open");
  await expect(banner).toContainText("Open mode");
  const [red, green, blue] = await banner.evaluate((element) =>
    (getComputedStyle(element).backgroundColor.match(/[\d.]+/g) ?? []).map(Number),
  );
  expect(red).toBeGreaterThan(Math.max(green ?? 255, blue ?? 255));
  const killed = openPid();
  process.kill(killed, "SIGKILL");
  const lost = page.getByRole("alert").filter({ hasText: "Connection lost" });
  await expect(lost).toBeVisible();
  await expect(page.getByRole("row").nth(1)).toBeVisible();
  restartOpen();
  await expect(lost).toHaveCount(0, { timeout: 15_000 });
  expect(openPid()).not.toBe(killed);
  await settled(page, "Executions");
});
