import { useQuery } from "@tanstack/react-query";
import { api, read } from "../../api/client";
import { Link } from "../../app/router";
import { Button } from "../../ui/button";
import { messageOf } from "../../ui/states";
import { decimalText } from "../../ui/values";

/** How far a requeue in the background is. */
export function Progress({ id, onClose }: { id: string; onClose?: () => void }) {
  const { data, error } = useQuery({
    queryKey: ["requeue", id],
    queryFn: ({ signal }) =>
      read(api.GET("/api/v2/submissions/{id}", { params: { path: { id }, query: { limit: 1 } }, signal })),
    refetchInterval: (query) => (query.state.data?.status === "FINISHED" ? false : 2_000),
  });
  if (!data) {
    return error ? (
      <p className="text-danger">{messageOf(error)}</p>
    ) : (
      <p role="status">Reading the progress …</p>
    );
  }
  const { totalRequested: total, successful, failed, pending, status } = data;
  return (
    <section className="failures-progress" aria-label="Progress of the requeue">
      <p>
        <strong>{status === "FINISHED" ? "Requeue finished" : "Requeue in progress"}</strong>:{" "}
        {decimalText(successful)} accepted, {decimalText(failed)} failed again, {decimalText(pending)}{" "}
        pending, of {decimalText(total)}.{" "}
        <Link to="/submissions" search={{ open: id }}>
          Its results
        </Link>
      </p>
      <progress value={total - pending} max={Math.max(1, total)} aria-label="Done" />
      {onClose && (
        <Button kind="ghost" icon="close" onClick={onClose}>
          Hide
        </Button>
      )}
    </section>
  );
}
