import { useCallback, useMemo } from "react";
import { api, read } from "../../api/client";
import type { components } from "../../api/schema";
import { usePageSearch } from "../../app/location";
import { type Column, DataGrid } from "../../ui/data-grid";
import { ExportButtons } from "../../ui/export-buttons";
import { FilterBar, type FilterField } from "../../ui/filter-bar";
import { Icon } from "../../ui/icons";
import { Page } from "../../ui/page";
import type { RowSource } from "../../ui/pages-of-rows";
import { Empty } from "../../ui/states";
import { SubmissionBar } from "../../ui/submission-progress";
import { durationText, Figure, Moment, useZone } from "../../ui/values";
import { SubmissionDetails } from "./details";
import "./submissions.css";

type Submission = components["schemas"]["ListedSubmissionAnswer"];

const PATH = "/api/v2/submissions";
const FIELDS: readonly FilterField[] = [
  {
    name: "status",
    label: "Status",
    kind: "choice",
    options: [
      ["", "Any"],
      ["RUNNING", "Running"],
      ["FINISHED", "Finished"],
    ],
  },
];

export default function SubmissionsPage() {
  const [search, setSearch] = usePageSearch();
  const { open } = search;
  const status = statusOf(search.status);
  const source = useMemo<RowSource<Submission>>(
    () => ({
      key: ["submissions", status ?? ""],
      hasOffset: false,
      page: async ({ cursor, limit, signal }) => {
        // A page may be short and still not be the last: what is missing is read at once.
        const rows: Submission[] = [];
        let at: string | undefined = cursor ?? undefined;
        do {
          const query = { status, cursor: at, limit: limit - rows.length };
          const page: components["schemas"]["SubmissionsAnswer"] = await read(
            api.GET(PATH, { params: { query }, signal }),
          );
          rows.push(...page.submissions);
          at = page.nextCursor ?? undefined;
        } while (at !== undefined && rows.length < limit);
        const total = cursor === null && at === undefined ? rows.length : null;
        return { rows, nextCursor: at ?? null, total };
      },
    }),
    [status],
  );
  const close = useCallback(() => setSearch({ open: undefined }), [setSearch]);
  return (
    <Page
      title="Submissions"
      note="Many executions sent as one: blotters, and submissions and requeues in the background."
      isFull
      actions={<ExportButtons path={PATH} query={{ status }} name="submissions" />}
      filters={<FilterBar fields={FIELDS} search={search} onChange={setSearch} />}
      aside={open && <SubmissionDetails key={open} id={open} onClose={close} />}
    >
      <DataGrid
        label="Submissions"
        source={source}
        columns={useColumns()}
        rowId={(row) => row.submissionId}
        openId={open}
        onOpen={(row) => setSearch({ open: row.submissionId }, { replace: open !== undefined })}
        empty={
          <Empty title={status ? "No submission matches" : "Nothing was submitted in bulk yet"}>
            {status ? "Clear the filter to see more." : "Send a blotter to see its progress here."}
          </Empty>
        }
      />
    </Page>
  );
}

function statusOf(text: string | undefined): "RUNNING" | "FINISHED" | undefined {
  return text === "RUNNING" || text === "FINISHED" ? text : undefined;
}

function useColumns(): readonly Column<Submission>[] {
  const zone = useZone();
  return useMemo(
    () => [
      {
        id: "createdAt",
        header: `At, ${zone}`,
        width: "150px",
        narrow: true,
        narrowWidth: "80px",
        cell: (row) => <Moment at={row.createdAt} short />,
      },
      {
        id: "status",
        header: "Status",
        width: "104px",
        narrow: true,
        narrowWidth: "96px",
        cell: (row) => <Status row={row} />,
      },
      {
        id: "bar",
        header: "Progress",
        width: "minmax(140px, 1fr)",
        narrow: true,
        narrowWidth: "minmax(60px, 1fr)",
        cell: (row) => <SubmissionBar counts={row} />,
      },
      count("totalRequested", "Executions", true),
      count("successful", "Accepted"),
      count("failed", "Failed"),
      count("pending", "Open"),
      {
        id: "took",
        header: "Took",
        width: "104px",
        align: "end",
        cell: (row) =>
          row.finishedAt ? durationText(Date.parse(row.finishedAt) - Date.parse(row.createdAt)) : "–",
      },
      {
        id: "kind",
        header: "Sent as",
        width: "92px",
        cell: (row) => (row.isBlotter ? "blotter" : "executions"),
      },
      {
        id: "createdBy",
        header: "By",
        width: "120px",
        cell: (row) => row.createdBy ?? <span className="muted">–</span>,
      },
      {
        id: "submissionId",
        header: "Id",
        width: "minmax(120px, 1fr)",
        cell: (row) => <span className="mono">{row.submissionId}</span>,
      },
    ],
    [zone],
  );
}

function count(
  name: "totalRequested" | "successful" | "failed" | "pending",
  header: string,
  narrow = false,
): Column<Submission> {
  return {
    id: name,
    header,
    width: "92px",
    align: "end",
    narrow,
    narrowWidth: "92px",
    cell: (row) =>
      row[name] === 0 ? (
        <span className="muted">0</span>
      ) : (
        <span className={name === "failed" ? "text-danger" : undefined}>
          <Figure value={row[name]} />
        </span>
      ),
  };
}

function Status({ row }: { row: Submission }) {
  return (
    <span className="submissions-status">
      {row.status === "RUNNING" ? (
        <>
          <span className="spinner" aria-hidden="true" /> Running
        </>
      ) : (
        <>
          <Icon name="done" /> Finished
        </>
      )}
    </span>
  );
}
