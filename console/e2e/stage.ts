/** The running service that the tests look at, and a page that notes everything a page must not do. */

import { readFileSync, rmSync } from "node:fs";
import { test as base, type ConsoleMessage, expect, type Page } from "playwright/test";

export type Role = "reader" | "trader" | "operator";

interface Stage {
  /** Needs a key. */
  url: string;
  /** In open mode. */
  openUrl: string;
  openPidFile: string;
  simulatorUrl: string;
  keys: Record<Role, string>;
  seeded: {
    orders: number[];
    neverSent: number[];
    queued: number[];
    unknown: number[];
    refused: number[];
    exhausted: number[];
    states: Record<string, number>;
    paused: string;
  };
}

export const stage: Stage = JSON.parse(process.env.CONSOLE_STAGE ?? "{}");

export const PAGES = [
  ["now", "Now"],
  ["needs-you", "Needs you"],
  ["failures", "Failures"],
  ["executions", "Executions"],
  ["orders", "Orders"],
  ["submissions", "Submissions"],
  ["blotter", "Blotter"],
  ["audit", "Audit"],
  ["control", "Control"],
] as const;

/** A call of the API, as the tests check what the console did. */
export async function api<T>(method: string, path: string, body?: unknown, role: Role = "operator") {
  const answer = await fetch(stage.url + path, {
    method,
    headers: { Authorization: `Bearer ${stage.keys[role]}`, "Content-Type": "application/json" },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  return { status: answer.status, body: (await answer.json()) as T };
}

/** Opens a page of the console, signed in. */
export async function open(page: Page, path: string, role: Role = "operator"): Promise<void> {
  await page.addInitScript((key) => sessionStorage.setItem("trade-service.key", key), stage.keys[role]);
  await page.goto(`${stage.url}/console/${path}`);
}

export async function settled(page: Page, title: string): Promise<void> {
  await expect(page.getByRole("heading", { level: 1, name: title, exact: true })).toBeVisible();
  await expect(page.locator(".state .spinner, .skeleton")).toHaveCount(0);
}

/** The process id of the open replica. Once it is killed and its file is removed, it is started again. */
export const openPid = () => Number(readFileSync(stage.openPidFile, "utf-8"));
export const restartOpen = () => rmSync(stage.openPidFile);

interface Watched {
  /** What the tests expect to fail: such as "Failed to load resource". */
  allowed: RegExp[];
}

export const test = base.extend<{ watched: Watched }>({
  watched: [
    async ({ page }, use) => {
      const wrong: string[] = [];
      const watched: Watched = { allowed: [] };
      page.on("console", (message: ConsoleMessage) => {
        if (message.type() === "error" || message.type() === "warning") wrong.push(message.text());
      });
      page.on("pageerror", (error) => wrong.push(String(error)));
      page.on("request", (request) => {
        const { protocol, origin } = new URL(request.url());
        const isOwn = [stage.url, stage.openUrl].includes(origin) || ["data:", "blob:"].includes(protocol);
        if (!isOwn) wrong.push(`request to ${request.url()}`);
      });
      await page.addInitScript(() => {
        document.addEventListener("securitypolicyviolation", (event) =>
          // biome-ignore lint/suspicious/noConsole: the tests read it
          console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`),
        );
      });
      await use(watched);
      expect(wrong.filter((text) => !watched.allowed.some((one) => one.test(text)))).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };
