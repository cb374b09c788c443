import { useMemo, useState } from "react";
import { useCommands } from "../../app/commands";
import { usePageSearch } from "../../app/location";
import { useMay } from "../../app/me";
import { Link } from "../../app/router";
import { Button } from "../../ui/button";
import { Page } from "../../ui/page";
import { AuditLog } from "./audit-log";
import { AuditDetails, Audits, RunDialog } from "./audits";
import { EvidenceView } from "./evidence";
import { VIEWS, type View, viewOf } from "./model";
import "./audit.css";

export default function AuditPage() {
  const [search, setSearch] = usePageSearch();
  const view = viewOf(search.view);
  if (view === "evidence") return <EvidenceView views={<Views chosen={view} />} />;
  if (view === "log") return <AuditLog views={<Views chosen={view} />} />;
  return (
    <Runs open={search.open} onOpen={(open) => setSearch({ open }, { replace: search.open !== undefined })} />
  );
}

function Runs({ open, onOpen }: { open: string | undefined; onOpen: (id: string | undefined) => void }) {
  const mayRun = useMay("operator");
  const [isAsking, setAsking] = useState(false);
  useCommands(
    useMemo(
      () =>
        mayRun
          ? [
              {
                id: "audit",
                title: "Run an audit",
                icon: "check" as const,
                hotkey: "r",
                run: () => setAsking(true),
              },
            ]
          : [],
      [mayRun],
    ),
  );
  return (
    <Page
      title="Audit"
      actions={
        mayRun && (
          <Button kind="primary" icon="check" hint="r" onClick={() => setAsking(true)}>
            Run an audit
          </Button>
        )
      }
      filters={<Views chosen="audits" />}
      aside={open && <AuditDetails key={open} id={open} onClose={() => onOpen(undefined)} />}
    >
      <Audits open={open} />
      {isAsking && <RunDialog onStarted={onOpen} onClose={() => setAsking(false)} />}
    </Page>
  );
}

function Views({ chosen }: { chosen: View }) {
  return (
    <nav className="audit-views" aria-label="Views of the page">
      {VIEWS.map(([name, label]) => (
        <Link
          key={name}
          to="/audit"
          search={{ view: name }}
          aria-current={name === chosen ? "true" : undefined}
        >
          {label}
        </Link>
      ))}
    </nav>
  );
}
