/** Upload a blotter, see what sending it would do, send it, follow it. */

import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { type DragEvent, useMemo, useRef, useState } from "react";
import { ApiError, request } from "../../api/client";
import { useCommands } from "../../app/commands";
import { usePageSearch } from "../../app/location";
import { useMay } from "../../app/me";
import { Button } from "../../ui/button";
import { Icon } from "../../ui/icons";
import { Page } from "../../ui/page";
import { Empty, Loading, Problem } from "../../ui/states";
import { useToast } from "../../ui/toast";
import "./blotter.css";
import { Preview, Rejects, Tiles, Totals } from "./checked";
import {
  addressOf,
  besideName,
  type Checked,
  type Choices,
  countText,
  NO_CHOICES,
  type Submitted,
} from "./model";
import { Columns, Reading, Refusal } from "./reading";
import { type Loaded, SaveButton, SendDialog, Sent } from "./send";

/** Far beyond what the service takes; more would only fill the memory of this browser. */
const MOST_BYTES = 256 * 2 ** 20;
let files = 0;

export default function BlotterPage() {
  const [search, setSearch] = usePageSearch();
  const [file, setFile] = useState<Loaded | null>(null);
  const [sent, setSent] = useState<Submitted | null>(null);
  const mayTrade = useMay("trader");
  const input = useRef<HTMLInputElement>(null);
  const toast = useToast();
  const { submission, name } = search;
  const take = async (chosen: File | undefined) => {
    if (!chosen) return;
    if (chosen.size > MOST_BYTES) {
      toast(`${chosen.name} is too large: send it with \`trade-service submit\`.`, "bad");
      return;
    }
    try {
      const content = new Blob([await chosen.arrayBuffer()]);
      setFile({ name: chosen.name, content, number: ++files });
      setSearch({ submission: undefined, name: undefined });
    } catch {
      toast(`${chosen.name} cannot be read: is it open elsewhere, or a folder?`, "bad");
    }
  };
  useCommands(
    useMemo(
      () =>
        mayTrade
          ? [
              {
                id: "file",
                title: "Choose a blotter file",
                icon: "upload" as const,
                hotkey: "o",
                run: () => input.current?.click(),
              },
            ]
          : [],
      [mayTrade],
    ),
  );
  const chooser = (
    <input
      ref={input}
      type="file"
      className="hidden"
      tabIndex={-1}
      aria-label="File of orders"
      onChange={(event) => {
        void take(event.target.files?.[0]);
        // The same file, corrected, may be chosen again.
        event.target.value = "";
      }}
    />
  );
  const choose = () => input.current?.click();
  if (submission) {
    return (
      <Page
        title="Blotter"
        note={name && <span className="blotter-file">{name}, sent</span>}
        actions={
          mayTrade && (
            <>
              {chooser}
              <Button icon="upload" hint="o" onClick={choose}>
                Another file
              </Button>
            </>
          )
        }
      >
        <Sent
          key={submission}
          id={submission}
          name={name ?? "blotter"}
          sent={sent?.submissionId === submission ? sent : null}
        />
      </Page>
    );
  }
  if (!mayTrade) {
    return (
      <Page title="Blotter">
        <Empty title="Sending blotters needs the role trader" />
      </Page>
    );
  }
  return (
    <DropZone onDrop={take}>
      {file ? (
        <CheckedFile
          key={file.number}
          file={file}
          actions={
            <>
              {chooser}
              <Button icon="upload" hint="o" onClick={choose}>
                Another file
              </Button>
            </>
          }
          onSent={(answer) => {
            setSent(answer);
            setFile(null);
            setSearch({ submission: answer.submissionId, name: file.name });
          }}
        />
      ) : (
        <Page title="Blotter">
          {chooser}
          <div className="blotter-start">
            <Icon name="upload" />
            <h2>Drop a file of orders here</h2>
            <Button kind="primary" hint="o" onClick={choose}>
              Choose a file
            </Button>
            <p className="muted">
              CSV and other delimited text, Excel, OpenDocument, JSON lines or Parquet; up to 10,000 rows.
              Nothing is sent before you have seen what it would do.
            </p>
          </div>
        </Page>
      )}
    </DropZone>
  );
}

function DropZone({
  onDrop,
  children,
}: {
  onDrop: (file: File | undefined) => void;
  children: React.ReactNode;
}) {
  const [depth, setDepth] = useState(0);
  const hasFiles = (event: DragEvent) => event.dataTransfer.types.includes("Files");
  return (
    <section
      className={`blotter-drop ${depth > 0 ? "is-over" : ""}`}
      aria-label="Blotter"
      onDragEnter={(event) => hasFiles(event) && setDepth(depth + 1)}
      onDragLeave={(event) => hasFiles(event) && setDepth(Math.max(0, depth - 1))}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        event.preventDefault();
        setDepth(0);
        onDrop(event.dataTransfer.files[0]);
      }}
    >
      {children}
    </section>
  );
}

interface CheckedFileProps {
  file: Loaded;
  actions: React.ReactNode;
  onSent: (sent: Submitted) => void;
}

function CheckedFile({ file, actions, onSent }: CheckedFileProps) {
  const [choices, setChoices] = useState<Choices>(NO_CHOICES);
  const [isSending, setSending] = useState(false);
  const address = addressOf("/api/v2/blotters/check", file.name, choices);
  const check = useQuery({
    queryKey: ["blotter-check", file.number, address],
    queryFn: ({ signal }) =>
      request<Checked>("POST", address, {
        body: file.content,
        headers: { "Content-Type": "application/octet-stream" },
        signal,
      }),
    placeholderData: keepPreviousData,
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 60_000,
    retry: false,
    refetchOnWindowFocus: false,
  });
  const { error } = check;
  const checked = error ? undefined : check.data;
  const refusal = error instanceof ApiError && error.status === 400 ? error : null;
  return (
    <Page
      title="Blotter"
      note={<span className="blotter-file">{file.name}</span>}
      actions={
        <>
          {actions}
          {checked && checked.totals.total.orders > 0 && (
            <Button
              kind="primary"
              icon="send"
              disabled={check.isPlaceholderData || check.isFetching}
              onClick={() => setSending(true)}
            >
              Send {countText(checked.totals.total.orders, "order")} …
            </Button>
          )}
        </>
      }
    >
      <div aria-busy={check.isFetching} className={check.isPlaceholderData ? "blotter-old" : undefined}>
        {check.isPending && <Loading label={`Checking ${file.name}`} />}
        {refusal ? (
          <>
            <Refusal refused={refusal.details} choices={choices} onChoose={setChoices} />
            <Reading choices={choices} onChoose={setChoices} />
          </>
        ) : (
          error && <Problem error={error} retry={() => void check.refetch()} />
        )}
        {checked && <Findings file={file} checked={checked} choices={choices} onChoose={setChoices} />}
      </div>
      {isSending && checked && (
        <SendDialog
          file={file}
          choices={choices}
          checked={checked}
          onSent={onSent}
          onCheckAgain={() => {
            setSending(false);
            void check.refetch();
          }}
          onClose={() => setSending(false)}
        />
      )}
    </Page>
  );
}

interface FindingsProps {
  file: Loaded;
  checked: Checked;
  choices: Choices;
  onChoose: (choices: Choices) => void;
}

function Findings({ file, checked, choices, onChoose }: FindingsProps) {
  const { doubts, warnings, refused, unit, preview, totals } = checked;
  return (
    <>
      <p className="muted blotter-facts">
        {checked.form} · header in {unit} {checked.headerLine} · {countText(checked.rows, unit)}
      </p>
      <Tiles checked={checked} />
      {totals.toSend === 0 && (
        <p className="callout state-queued">
          {refused === checked.rows
            ? `There is nothing to send: every ${unit} is refused.`
            : "There is nothing to send: all its good orders were sent before."}
        </p>
      )}
      {[...doubts, ...warnings].map((one) => (
        <p key={one} className="callout state-unknown">
          {doubts.includes(one) && <strong>Please confirm: </strong>}
          {one}
        </p>
      ))}
      {refused > 0 && (
        <section className="section" aria-labelledby="blotter-refused">
          <header className="blotter-head">
            <h2 id="blotter-refused">{countText(refused, `refused ${unit}`)}</h2>
            <SaveButton
              path={addressOf("/api/v2/blotters/check", file.name, choices)}
              name={besideName(file.name, "rejects")}
              body={file.content}
            >
              {`Save refused ${unit}s`}
            </SaveButton>
          </header>
          <Rejects rejects={checked.rejects} unit={unit} />
          {checked.moreRejects && (
            <p className="muted">The first {checked.rejects.length}; the file that you can save has all.</p>
          )}
        </section>
      )}
      {totals.toSend > 0 && (
        <section className="section" aria-labelledby="blotter-totals">
          <h2 id="blotter-totals">To send</h2>
          <Totals checked={checked} />
        </section>
      )}
      {preview.length > 0 && (
        <section className="section" aria-labelledby="blotter-orders">
          <h2 id="blotter-orders">
            {preview.length < checked.accepted
              ? `The first ${preview.length} of ${checked.accepted.toLocaleString("en")} good orders`
              : countText(preview.length, "good order")}
          </h2>
          <Preview orders={preview} unit={unit} />
        </section>
      )}
      <section className="section" aria-labelledby="blotter-reading">
        <h2 id="blotter-reading">How the file is read</h2>
        <Columns columns={checked.columns} choices={choices} onChoose={onChoose} />
        <Reading choices={choices} onChoose={onChoose} />
      </section>
    </>
  );
}
