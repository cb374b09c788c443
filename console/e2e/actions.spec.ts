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
  await expect(dialog).toBeVisible();
  const reason = dialog.getByLabel(/^Reason/);
  if (await reason.count()) await reason.fill("Asked their desk");
  const check = dialog.getByRole("button", { name: "Check the effect" });
  if (await check.count()) {
    await check.click();
    await expect(dialog.getByRole("region", { name: "Effect" })).toBeVisible();
  }
  await untouched();
  await dialog.getByRole("button", { name: confirm }).click();
  const done = dialog.getByRole("region", { name: /^(Done|Started)$/ });
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

test("an outcome that only a person can settle is resolved", async ({ page }) => {
  const [id = 0] = stage.seeded.unknown;
  await open(page, "needs-you");
  await settled(page, "Needs you");
  const grid = page.getByRole("grid", { name: "Unknown outcomes" });
  await expect(grid.getByText(/^you: /)).toHaveCount(stage.seeded.unknown.length);
  await grid.getByText(String(id), { exact: true }).click();
  await page.getByRole("button", { name: "Resolve …" }).click();
  await page.getByLabel(/It was not accepted/).check();
  await act(page, /^Resolve as not accepted/, async () => expect(await stateOf(id)).toBe("unknown"));
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  // Its quantity is back at its order.
  expect(await stateOf(id)).toBe("exhausted");
  await expect(
    page.getByRole("complementary").getByText("olga settled it as not accepted: Asked their desk"),
  ).toBeVisible();
});

test("all that failed for one reason are requeued in the background", async ({ page }) => {
  await open(page, "failures");
  await settled(page, "Failures");
  const [failed = 0] = stage.seeded.exhausted;
  const button = page.getByRole("button", { name: /^Requeue all 2: exhausted/ });
  await button.click();
  await act(page, /^Requeue 2/, async () => expect(await stateOf(failed)).toBe("exhausted"));
  await page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  for (const id of stage.seeded.exhausted) await expect.poll(() => stateOf(id)).toBe("accepted");
  await expect(button).toHaveCount(0);
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
  await open(page, "executions?state=none", "reader");
  await settled(page, "Executions");
  for (const [label, lines] of [
    ["CSV", stage.seeded.neverSent.length + 1],
    ["NDJSON", stage.seeded.neverSent.length],
  ] as const) {
    const saving = page.waitForEvent("download");
    await page.getByRole("button", { name: label, exact: true }).click();
    const text = readFileSync(await (await saving).path(), "utf-8");
    expect(text.trim().split("\n")).toHaveLength(lines);
    for (const id of stage.seeded.neverSent) expect(text).toContain(String(id));
  }
});

test("sending to one destination is paused, and what was paused before is resumed", async ({ page }) => {
  const paused = async () =>
    (
      await api<{ pauses: { destination: { abbreviation: string } | null }[] }>("GET", "/api/v2/pauses")
    ).body.pauses.map((one) => one.destination?.abbreviation);
  const close = () => page.getByRole("dialog").getByRole("button", { name: "Close" }).last().click();
  const before = [stage.seeded.paused];
  await open(page, "control");
  await settled(page, "Control");
  await page.getByRole("button", { name: "Pause sending" }).click();
  await page.getByRole("dialog").getByRole("combobox").selectOption("POSIT");
  await act(page, /^Pause POSIT/, async () => expect(await paused()).toEqual(before));
  await close();
  expect((await paused()).sort()).toEqual([...before, "POSIT"].sort());
  for (const name of [stage.seeded.paused, "POSIT"]) {
    await page.getByRole("button", { name: `Resume ${name}` }).click();
    await act(page, new RegExp(`^Resume ${name}`), async () => expect(await paused()).toContain(name));
    await close();
  }
  expect(await paused()).toEqual([]);
  for (const id of stage.seeded.queued) await expect.poll(() => stateOf(id)).toBe("accepted");
});

test("an audit is run and read", async ({ page }) => {
  await open(page, "audit");
  await settled(page, "Audit");
  await page.getByRole("button", { name: "Run an audit" }).click();
  const dialog = page.getByRole("dialog");
  const none = async () =>
    expect((await api<{ audits: unknown[] }>("GET", "/api/v2/audits")).body.audits).toEqual([]);
  await act(page, /^Start the audit/, none);
  await dialog.getByRole("button", { name: "Close" }).last().click();
  await expect
    .poll(async () => (await api<{ audits: { status: string }[] }>("GET", "/api/v2/audits")).body.audits)
    .toMatchObject([{ status: "CLEAN", startedBy: "olga" }]);
  await expect(page.getByRole("complementary", { name: "Audit" }).getByText("olga")).toBeVisible();
  await page.getByRole("link", { name: "Audit log" }).click();
  await expect(page.getByRole("row").filter({ hasText: "olga" }).first()).toBeVisible();
});

interface Bulk {
  status: string;
  successful: number;
}

test("a blotter is uploaded, checked and sent; what was refused is saved", async ({ page }) => {
  const head = "order_id,portfolio_id,order_type,security_id,quantity,limit_price,blotter,destination";
  const lines = Array.from({ length: 60 }, (_, index) => `${7_000_001 + index},P1,BUY,IBM,100,190.25,EQ,ML`);
  lines[10] = "7000011,P1,BUY,IBM,minus ten,190.25,EQ,ML";
  lines[20] = "7000021,P1,HOLD,IBM,100,190.25,EQ,ML";
  const buffer = Buffer.from([head, ...lines].join("\n"));
  await page.addInitScript(() => Reflect.deleteProperty(window, "showSaveFilePicker"));
  await open(page, "blotter", "trader");
  await page.getByLabel("File of orders").setInputFiles({ name: "today.csv", mimeType: "text/csv", buffer });
  await expect(page.getByRole("heading", { name: "2 refused lines" })).toBeVisible();
  const known = await api<{ pagination: { totalElements: number } }>(
    "GET",
    "/api/v2/tradeOrders?orderId=7000001",
  );
  expect(known.body.pagination.totalElements).toBe(0);
  await page.getByRole("button", { name: "Send 58 orders …" }).click();
  await expect(page.getByRole("dialog").getByRole("region", { name: "Effect" })).toBeVisible();
  await page.getByRole("dialog").getByRole("button", { name: "Send 58 orders" }).click();
  await expect(page).toHaveURL(/submission=/);
  const id = new URL(page.url()).searchParams.get("submission");
  await expect
    .poll(async () => (await api<Bulk>("GET", `/api/v2/submissions/${id}`)).body)
    .toMatchObject({ status: "FINISHED", successful: 58 });
  const saving = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save what was refused" }).click();
  const refused = readFileSync(await (await saving).path(), "utf-8");
  expect(refused).toContain("7000011");
  expect(refused).toContain("7000021");
  expect(refused).not.toContain("7000001,");
});

const REFUSED: readonly [Role, string, unknown][] = [
  ["reader", "/api/v2/blotters/check?filename=a.csv", ""],
  ["reader", "/api/v2/pause", { reason: "r", dryRun: true }],
  ["trader", "/api/v2/pause", { reason: "r", dryRun: true }],
  ["trader", "/api/v2/executions/requeue", { executionIds: [1], reason: "r", dryRun: true }],
];

test("what a role may not do is not shown, and is refused", async ({ page }) => {
  const failed = stage.seeded.refused.at(-1);
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
