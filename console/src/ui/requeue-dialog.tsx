import { api, read } from "../api/client";
import { ActionDialog, type ActionInput, type Effect } from "./action-dialog";

/** Submits one ended execution again, after the ledger was read. */
export function RequeueDialog({ id, onClose }: { id: string; onClose: () => void }) {
  const call = async (input: ActionInput, dryRun: boolean): Promise<Effect> => {
    const answer = await read(
      api.POST("/api/v2/executions/requeue", {
        body: { executionIds: [Number(id)], reason: input.reason, operator: input.operator, dryRun },
      }),
    );
    // In the background only where many were asked for.
    if (!("results" in answer)) throw new Error("the service answered as for a requeue in the background");
    const one = answer.results[0];
    const refused = one && one.status !== "REQUEUED" ? one.message : undefined;
    return {
      summary: `Execution ${id}: ${one?.message ?? answer.message}.`,
      refused,
      figures: one
        ? [
            { label: "Quantity", value: one.quantity },
            { label: "Left of its order", value: one.orderAvailable },
          ]
        : [],
    };
  };
  return (
    <ActionDialog
      title={`Requeue execution ${id}`}
      confirm={() => `Requeue execution ${id}`}
      dryRun={(input) => call(input, true)}
      run={(input) => call(input, false)}
      onClose={onClose}
    >
      <p>
        It is looked up in the Execution Service&apos;s ledger from its first attempt on. It is sent again
        only if that proves that it is not there.
      </p>
    </ActionDialog>
  );
}
