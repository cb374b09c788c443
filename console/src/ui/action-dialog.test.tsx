import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen } from "@testing-library/preact";
import type { ComponentProps } from "react";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import type { Me } from "../api/contract";
import { MeContext } from "../app/me";
import { ActionDialog, type Effect } from "./action-dialog";

beforeAll(() => {
  // jsdom has no modal dialogs.
  HTMLDialogElement.prototype.showModal = function show() {
    this.open = true;
  };
  HTMLDialogElement.prototype.close = function close() {
    this.open = false;
  };
});
afterEach(() => {
  cleanup();
  sessionStorage.clear();
});

const EFFECT: Effect = { summary: "37 would be requeued", figures: [{ label: "Executions", value: 37 }] };

function shown({
  openMode = false,
  dryRun = vi.fn(async () => EFFECT) as ComponentProps<typeof ActionDialog>["dryRun"],
  run = vi.fn(async () => EFFECT),
} = {}) {
  const me = { name: "ada", roles: ["operator"], openMode } as unknown as Me;
  render(
    <QueryClientProvider client={new QueryClient()}>
      <MeContext.Provider value={me}>
        <ActionDialog
          title="Requeue"
          confirm={() => "Requeue 37"}
          dryRun={dryRun}
          run={run}
          onClose={() => {}}
        />
      </MeContext.Provider>
    </QueryClientProvider>,
  );
  return { dryRun, run };
}

const reason = () => screen.getByLabelText(/^Reason/);
const type = (field: HTMLElement, value: string) => fireEvent.input(field, { target: { value } });
const check = () => screen.getByRole<HTMLButtonElement>("button", { name: "Check the effect" });

test("nothing runs before a reason was given and its effect was shown", async () => {
  const { dryRun, run } = shown();
  expect(check().disabled).toBe(true);
  expect(screen.queryByRole("button", { name: "Requeue 37" })).toBeNull();
  type(reason(), " fixed the code ");
  fireEvent.click(check());
  const act = await screen.findByRole("button", { name: "Requeue 37" });
  expect(screen.getByText("37 would be requeued")).toBeTruthy();
  expect(dryRun).toHaveBeenCalledWith({ reason: "fixed the code", operator: "" });
  expect(run).not.toHaveBeenCalled();
  fireEvent.click(act);
  await screen.findByText("Done");
  expect(run).toHaveBeenCalledTimes(1);
});

test("another reason makes the effect outdated", async () => {
  shown();
  type(reason(), "one");
  fireEvent.click(check());
  await screen.findByRole("button", { name: "Requeue 37" });
  type(reason(), "another");
  expect(screen.queryByRole("button", { name: "Requeue 37" })).toBeNull();
  expect(check().disabled).toBe(false);
});

test("what is refused has no button, and the reason why", async () => {
  shown({ dryRun: vi.fn(async () => ({ ...EFFECT, refused: "nothing is left of its order" })) });
  type(reason(), "one");
  fireEvent.click(check());
  await screen.findByText("nothing is left of its order");
  expect(screen.queryByRole("button", { name: "Requeue 37" })).toBeNull();
});

test("in open mode the name of who acts is asked and passed on", async () => {
  const { dryRun } = shown({ openMode: true });
  type(reason(), "one");
  expect(check().disabled).toBe(true);
  type(screen.getByLabelText(/^Your name/), "grace");
  fireEvent.click(check());
  await screen.findByRole("button", { name: "Requeue 37" });
  expect(dryRun).toHaveBeenCalledWith({ reason: "one", operator: "grace" });
});

test("an action that changes nothing runs without a check", async () => {
  const { run } = shown({ dryRun: null });
  expect(screen.queryByRole("button", { name: "Check the effect" })).toBeNull();
  const act = screen.getByRole<HTMLButtonElement>("button", { name: "Requeue 37" });
  expect(act.disabled).toBe(true);
  type(reason(), "one");
  fireEvent.click(act);
  await screen.findByText("Done");
  expect(run).toHaveBeenCalledTimes(1);
});
