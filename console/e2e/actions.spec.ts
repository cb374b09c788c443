/** Each action through the console: the dry run first, then the action, then what the API says. */

import { readFileSync } from "node:fs";
import type { Locator, Page } from "playwright/test";
import { api, expect, open, type Role, settled, stage, test } from "./stage";

interface Execution {
  submissionState: string;
}

const stateOf = async (id: number) =>
  (await api<Execution>("GET", `/api/v2/executions/${id}`)).body.submissionState;

/** Fills in the reason, reads the effect, checks that nothing has happened yet, and confirms. */
async function act(page: Page, confirm: RegExp, untouched: () => Promise<void>): Promise<Locator> {
  const dialog = page.getByRole("dialog");
  const reason = dialog.getByLabel(/^Reason/);
  if (await reason.count()) await reason.fill("Asked their desk");
  await dialog.getByRole("button", { name: "Check the effect" }).click();
  await expect(dialog.getByRole("region", { name: "Effect" })).toBeVisible();
  await untouched();
  await dialog.getByRole("button", { name: confirm }).click();
  const done = dialog.getByRole("region", { name: "Done" });
  await expect(done).toBeVisible();
  return done;
}

test("an execution that failed is requeued", async ({ page }) => {
  const [id = 0] = stage.seeded.refused;
  await open(page, `executions?open=${id}`);
  await page.getByRole("button", { name: "Requeue …" }).click();
  await act(page, /^Requeue execution/, async () => expect(await stateOf(id)).toBe("rejected"));
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  await expect.poll(() => stateOf(id)).toBe("accepted");
  const panel = page.getByRole("complementary");
  await expect(panel.locator("header").getByText("accepted")).toBeVisible();
  await expect(panel.getByText("Asked their desk")).toBeVisible();
  await expect(panel.getByText(/olga/).first()).toBeVisible();
});

test("what is left of an order is submitted", async ({ page }) => {
  const [id] = stage.seeded.orders;
  const quantity = async () =>
    (await api<{ quantitySent: number }>("GET", `/api/v2/tradeOrders/${id}`)).body.quantitySent;
  await open(page, `orders?open=${id}`, "trader");
  await page.getByRole("button", { name: "Submit what is left …" }).click();
  await page.getByLabel("Destination").last().selectOption({ index: 1 });
  const done = await act(page, /^Send /, async () => expect(await quantity()).toBe(500));
  await expect(done).toContainText(/was accepted as \d+/);
  expect(await quantity()).toBe(1500);
});

test("a list is exported with its filters", async ({ page }) => {
  await page.addInitScript(() => Reflect.deleteProperty(window, "showSaveFilePicker"));
  await open(page, "executions?state=unknown", "reader");
  await settled(page, "Executions");
  for (const [label, lines] of [
    ["CSV", stage.seeded.unknown.length + 1],
    ["NDJSON", stage.seeded.unknown.length],
  ] as const) {
    const saving = page.waitForEvent("download");
    await page.getByRole("button", { name: label, exact: true }).click();
    const text = readFileSync(await (await saving).path(), "utf-8");
    expect(text.trim().split("\n")).toHaveLength(lines);
    for (const id of stage.seeded.unknown) expect(text).toContain(String(id));
  }
});

const REFUSED: readonly [Role, string, unknown][] = [
  ["reader", "/api/v2/blotters/check?filename=a.csv", ""],
  ["reader", "/api/v2/pause", { reason: "r", dryRun: true }],
  ["trader", "/api/v2/pause", { reason: "r", dryRun: true }],
  ["trader", "/api/v2/executions/requeue", { executionIds: [1], reason: "r", dryRun: true }],
];

test("what a role may not do is not shown, and is refused", async ({ page }) => {
  const [failed] = stage.seeded.exhausted;
  await open(page, `executions?open=${failed}`, "trader");
  const panel = page.getByRole("complementary");
  await expect(panel.getByText("History")).toBeVisible();
  await expect(page.getByRole("button", { name: /Requeue/ })).toHaveCount(0);
  await open(page, `orders?open=${stage.seeded.orders.at(-1)}`, "reader");
  await expect(panel.getByText("Executions", { exact: false }).first()).toBeVisible();
  await expect(page.getByRole("button", { name: /Submit/ })).toHaveCount(0);
  for (const [role, path, body] of REFUSED) {
    expect((await api("POST", path, body, role)).status, `${role}: ${path}`).toBe(403);
  }
});
