/** Pictures of the pages for docs/images, from a real run. */

import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright/test";
import { open, settled, stage, test } from "./stage";

const FOLDER = fileURLToPath(new URL("../../docs/images/", import.meta.url));
const NARROW = new Set(["now", "failures", "executions"]);

const order = [
  "order_id,portfolio_id,order_type,security_id,quantity,limit_price,blotter,destination",
  ...Array.from({ length: 48 }, (_, index) => {
    const ticker = ["AAPL", "MSFT", "IBM", "NVDA", "KO", "XOM"][index % 6];
    const side = index % 3 === 0 ? "SELL" : "BUY";
    const quantity = index === 7 ? "twelve" : 100 + 25 * index;
    const destination = index === 20 ? "NOWHERE" : ["ML", "RBC", "JPM"][index % 3];
    return `${8_000_001 + index},Fund ${1 + (index % 4)},${side},${ticker},${quantity},${90 + index}.25,EQ,${destination}`;
  }),
].join("\n");

const [failed] = stage.seeded.exhausted;
const [unknown] = stage.seeded.unknown;

/** What is opened for each picture, and what is done before it is taken. */
const SCENES: readonly [
  name: string,
  title: string,
  path: string,
  prepare?: (page: Page) => Promise<void>,
][] = [
  ["executions", "Executions", `executions?open=${failed}`],
  ["orders", "Orders", `orders?open=${stage.seeded.orders[2]}`],
  ["needs-you", "Needs you", `needs-you?open=${unknown}`],
  ["failures", "Failures", "failures"],
  ["submissions", "Submissions", "submissions"],
  ["blotter", "Blotter", "blotter", upload],
  ["audit", "Audit", "audit", audit],
  ["control", "Control", "control"],
  ["now", "Now", "now?window=15m"],
];

async function audit(page: Page): Promise<void> {
  await page.getByRole("button", { name: "Run an audit" }).click();
  await page.getByRole("button", { name: "Start the audit" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  await page.getByRole("region", { name: "Balance" }).waitFor();
  await page.getByRole("region", { name: "Messages" }).getByRole("button", { name: "Close" }).click();
}

async function upload(page: Page): Promise<void> {
  const file = { name: "today.csv", mimeType: "text/csv", buffer: Buffer.from(order) };
  await page.getByLabel("File of orders").setInputFiles(file);
  await page.getByRole("button", { name: /^Send / }).waitFor();
}

for (const [name, title, path, prepare] of SCENES) {
  test(`pictures of ${title}`, async ({ page }) => {
    mkdirSync(FOLDER, { recursive: true });
    await open(page, path);
    await settled(page, title);
    await prepare?.(page);
    for (const [width, height] of [
      [1280, name === "now" ? 960 : 800],
      [390, 780],
    ] as const) {
      if (width === 390 && !NARROW.has(name)) continue;
      await page.setViewportSize({ width, height });
      // Details cover the list on a narrow screen.
      if (width === 390) await page.keyboard.press("Escape");
      for (const colorScheme of ["light", "dark"] as const) {
        await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
        await page.waitForTimeout(700);
        await settled(page, title);
        const size = width === 390 ? "-narrow" : "";
        await page.screenshot({ path: `${FOLDER}console-${name}${size}-${colorScheme}.png` });
      }
    }
  });
}
