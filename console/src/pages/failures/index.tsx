import { useQuery } from "@tanstack/react-query";
import { useCallback, useMemo, useState } from "react";
import { api, read } from "../../api/client";
import { useCommands } from "../../app/commands";
import { changed, stringifySearch, usePageSearch } from "../../app/location";
import { useMay } from "../../app/me";
import { Button } from "../../ui/button";
import { ExecutionDetails } from "../../ui/execution-details";
import { ExportButtons } from "../../ui/export-buttons";
import { FilterBar, type FilterField } from "../../ui/filter-bar";
import { Page } from "../../ui/page";
import { Empty, Loading, Problem } from "../../ui/states";
import { decimalText } from "../../ui/values";
import "./failures.css";
import { Groups } from "./groups";
import { type Group, groupSearch, queryOf, reasonText, type Target } from "./model";
import { Progress } from "./progress";
import { RequeueMany } from "./requeue-many";
import { Rows } from "./rows";

const PERIOD: FilterField = { name: "time", label: "Failed", kind: "period", from: "from", to: "to" };
const STATE: FilterField = {
  name: "state",
  label: "State",
  kind: "choice",
  options: [
    ["", "Rejected or exhausted"],
    ["rejected", "Rejected"],
    ["exhausted", "Exhausted"],
  ],
};

export default function FailuresPage() {
  const [search, setSearch] = usePageSearch();
  const mayRequeue = useMay("operator");
  const [target, setTarget] = useState<Target | null>(null);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const isGroup = search.code !== undefined;
  const isRows = isGroup || search.view === "rows";
  const { open, job, ...filters } = search;
  const text = stringifySearch(filters);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the text has all of it that counts
  const query = useMemo(() => queryOf(search), [text]);
  const { code: _code, message: _message, ...around } = query;
  const groups = useGroups(around);
  const shown = isGroup ? groups.data?.groups.filter((one) => isIn(one, search)) : groups.data?.groups;
  const total = sumOf(shown);
  const newestAt = newestOf(shown);
  const canRequeue = mayRequeue && isRows && total > 0 && newestAt !== null;
  const requeueShown = useCallback(() => {
    if (selected.size > 0) setTarget({ ids: [...selected] });
    else if (newestAt !== null) setTarget({ query, count: total, newestAt });
  }, [selected, query, total, newestAt]);
  useCommands(
    useMemo(
      () =>
        canRequeue
          ? [{ id: "requeue", title: "Requeue what is shown or selected", hotkey: "r", run: requeueShown }]
          : [],
      [canRequeue, requeueShown],
    ),
  );
  const close = useCallback(() => setSearch({ open: undefined }), [setSearch]);
  const change: typeof setSearch = (changes, options) => {
    setSelected(new Set());
    setSearch(changes, options);
  };
  const exported = isRows ? { ...query } : { ...around };
  return (
    <Page
      title="Failures"
      isFull={isRows}
      note={groups.data && noteOf(total, shown?.length ?? 0, isRows, groups.data.more)}
      actions={
        <>
          {canRequeue && (
            <Button kind="primary" hint="r" onClick={requeueShown}>
              Requeue{" "}
              {selected.size > 0 ? `${decimalText(selected.size)} selected` : `all ${decimalText(total)}`} …
            </Button>
          )}
          <ExportButtons path="/api/v2/failures/executions" query={exported} name="failures" />
        </>
      }
      filters={
        <>
          {job && <Progress id={job} onClose={() => setSearch({ job: undefined })} />}
          {isRows && (
            <div className="failures-where">
              <Button icon="up" onClick={() => change(ALL_REASONS)}>
                All reasons
              </Button>
              {isGroup && (
                <p>
                  <code>{search.code}</code> {reasonText(search.code ?? "", search.message ?? "")}
                </p>
              )}
            </div>
          )}
          <FilterBar fields={isGroup ? [PERIOD] : [STATE, PERIOD]} search={search} onChange={change}>
            {!isRows && total > 0 && (
              <Button icon="rows" onClick={() => change({ view: "rows" })}>
                Show the executions
              </Button>
            )}
          </FilterBar>
        </>
      }
      aside={open && <ExecutionDetails key={open} id={open} onClose={close} />}
    >
      {isRows ? (
        <Rows
          query={query}
          openId={open}
          onOpen={(id) => setSearch({ open: id }, { replace: open !== undefined })}
          selected={selected}
          onSelected={mayRequeue ? setSelected : undefined}
        />
      ) : groups.error && !groups.data ? (
        <Problem error={groups.error} retry={() => void groups.refetch()} />
      ) : !groups.data ? (
        <Loading label="Loading failures" />
      ) : groups.data.groups.length === 0 ? (
        <Empty title="Nothing failed">
          {text === "" ? "No execution is rejected or exhausted." : "Clear a filter to see more."}
        </Empty>
      ) : (
        <Groups
          groups={groups.data.groups}
          kept={changed(search, { open: undefined, view: undefined })}
          onRequeue={
            mayRequeue
              ? (group) =>
                  setTarget({
                    query: { ...around, ...queryOf(groupSearch(group)) },
                    count: group.count,
                    newestAt: group.lastAt,
                  })
              : undefined
          }
        />
      )}
      {target && (
        <RequeueMany
          target={target}
          onStarted={(id) => setSearch({ job: id }, { replace: true })}
          onClose={() => {
            setTarget(null);
            setSelected(new Set());
          }}
        />
      )}
    </Page>
  );
}

const ALL_REASONS = { of: undefined, code: undefined, message: undefined, view: undefined, open: undefined };

function useGroups(query: ReturnType<typeof queryOf>) {
  return useQuery({
    queryKey: ["failures", "groups", query],
    queryFn: ({ signal }) => read(api.GET("/api/v2/failures", { params: { query }, signal })),
    refetchInterval: 2_000,
  });
}

function isIn(group: Group, search: Readonly<Record<string, string>>): boolean {
  return group.state === search.of && group.code === search.code && group.message === search.message;
}

function sumOf(groups: readonly Group[] | undefined): number {
  return (groups ?? []).reduce((sum, one) => sum + one.count, 0);
}

function newestOf(groups: readonly Group[] | undefined): string | null {
  const moments = (groups ?? []).map((one) => one.lastAt).sort((a, b) => Date.parse(a) - Date.parse(b));
  return moments.at(-1) ?? null;
}

function noteOf(total: number, reasons: number, isRows: boolean, more: boolean): string {
  const all = `${decimalText(total)} failed execution${total === 1 ? "" : "s"}`;
  if (isRows) return all;
  return more
    ? `the ${reasons} most frequent reasons`
    : `${all}, ${reasons} reason${reasons === 1 ? "" : "s"}`;
}
