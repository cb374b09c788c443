/** Every page: loads without an error, is accessible in both schemes and at both widths. */

import { AxeBuilder } from "@axe-core/playwright";
import { expect, open, PAGES, settled, stage, test } from "./stage";

const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

for (const [path, title] of PAGES) {
  test(`${title} is accessible, light and dark, wide and narrow`, async ({ page }) => {
    // Rows are alike, and each one takes its time.
    const axe = () => new AxeBuilder({ page }).exclude(".grid-body > :nth-child(n + 5)");
    const check = async (width: number, colorScheme: "light" | "dark", builder: AxeBuilder) => {
      await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
      const { violations } = await builder.analyze();
      const found = violations.map((one) => [one.id, one.nodes.map((node) => node.html.slice(0, 160))]);
      expect(found, `${colorScheme}, ${width} px`).toEqual([]);
    };
    await open(page, path);
    await settled(page, title);
    for (const width of [1280, 390]) {
      await page.setViewportSize({ width, height: 600 });
      const overflow = () =>
        page.evaluate(() => {
          const grids = [...document.querySelectorAll(".grid")].map(
            (one) => one.scrollWidth - one.clientWidth,
          );
          return Math.max(document.documentElement.scrollWidth - innerWidth, ...grids);
        });
      await expect.poll(overflow, `${width} px`).toBeLessThanOrEqual(0);
      await check(width, "light", axe().withTags(TAGS));
      // The scheme changes colours alone.
      await check(width, "dark", axe().withRules(["color-contrast", "link-in-text-block"]));
    }
  });
}

test("the first paint takes less than a second with an empty cache, and the transfer is small", async ({
  page,
}) => {
  await open(page, "now");
  await settled(page, "Now");
  const { paintMs, bytes } = await page.evaluate(() => ({
    paintMs: performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? Number.NaN,
    bytes: performance
      .getEntriesByType("resource")
      .filter((entry) => entry.name.includes("/assets/"))
      .reduce((sum, entry) => sum + (entry as PerformanceResourceTiming).encodedBodySize, 0),
  }));
  // biome-ignore lint/suspicious/noConsole: a figure for the report
  console.info(`first paint after ${Math.round(paintMs)} ms; ${bytes} bytes of scripts and styles`);
  expect(paintMs).toBeLessThan(1_000);
  expect(bytes).toBeGreaterThan(0);
  expect(bytes).toBeLessThan(150_000);
});

test("signing in and out; a wrong key is refused in words", async ({ page, watched }) => {
  watched.allowed.push(/401/);
  await page.goto(`${stage.url}/console/executions?state=rejected`);
  const key = page.getByLabel("Key or token");
  await key.fill("ts_000000000000_wrong");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByRole("alert")).toBeVisible();
  await key.fill(stage.keys.reader);
  await page.getByRole("button", { name: "Sign in" }).click();
  await settled(page, "Executions");
  await expect(page.getByText("rita")).toBeVisible();
  expect(page.url()).not.toContain("ts_");
  await page.getByRole("button", { name: "Sign out" }).click();
  await expect(key).toBeVisible();
  expect(await page.evaluate(() => sessionStorage.length + localStorage.length)).toBe(0);
});

test("everything by keyboard: the palette, an id, the keys, a list", async ({ page }) => {
  await open(page, "orders");
  await settled(page, "Orders");
  await page.keyboard.press("Control+k");
  await page.keyboard.type("fail");
  await page.keyboard.press("Enter");
  await settled(page, "Failures");
  const [id] = stage.seeded.unknown;
  await page.keyboard.press("Control+k");
  await page.keyboard.type(String(id));
  await page.keyboard.press("Enter");
  await expect(page.getByRole("complementary", { name: `Execution ${id}` })).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("complementary")).toHaveCount(0);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Keys" })).toBeVisible();
  await page.keyboard.press("Escape");
  await page.keyboard.press("g");
  await page.keyboard.press("o");
  await settled(page, "Orders");
  await page.getByRole("grid", { name: "Orders" }).focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(page.getByRole("complementary")).toBeVisible();
});

test("a link leads to a filtered list with details open", async ({ page }) => {
  const [id] = stage.seeded.neverSent;
  await open(page, `executions?state=none&open=${id}`);
  await settled(page, "Executions");
  const panel = page.getByRole("complementary", { name: `Execution ${id}` });
  await expect(panel.getByRole("heading", { name: "History" })).toBeVisible();
  await expect(page.getByRole("row")).toHaveCount(1 + stage.seeded.neverSent.length);
});
