import { useEffect, useRef, useState } from "react";
import { download, type FileType } from "../api/download";
import { Button } from "./button";
import { messageOf } from "./states";
import { useToast } from "./toast";

interface ExportButtonsProps {
  /** Of the list: `/api/v2/executions`. */
  path: string;
  query: Record<string, string | undefined>;
  /** The file's name without its ending. */
  name: string;
}

const TYPES: readonly (readonly [label: string, type: FileType, ending: string])[] = [
  ["CSV", "text/csv", "csv"],
  ["NDJSON", "application/x-ndjson", "ndjson"],
];

/** Saves all rows of a list with its filters, however many; while it runs, its button stops it. */
export function ExportButtons({ path, query, name }: ExportButtonsProps) {
  const [running, setRunning] = useState<{ label: string; bytes: number } | null>(null);
  const abort = useRef<AbortController | null>(null);
  const toast = useToast();
  useEffect(() => () => abort.current?.abort(), []);
  const start = async (label: string, type: FileType, ending: string) => {
    const control = new AbortController();
    abort.current = control;
    const file = `${name}-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}Z.${ending}`;
    setRunning({ label, bytes: 0 });
    try {
      const onBytes = (bytes: number) => setRunning({ label, bytes });
      await download(path, query, type, file, onBytes, control.signal);
      toast(`Saved ${file}`, "good");
    } catch (error) {
      const isStopped =
        control.signal.aborted || (error instanceof DOMException && error.name === "AbortError");
      if (!isStopped) toast(`Not saved: ${messageOf(error)}`, "bad");
    } finally {
      setRunning(null);
    }
  };
  if (running) {
    return (
      <Button icon="close" onClick={() => abort.current?.abort()}>
        {running.label}: {(running.bytes / 1_000_000).toFixed(1)} MB
      </Button>
    );
  }
  return (
    <>
      {TYPES.map(([label, type, ending]) => (
        <Button
          key={label}
          icon="download"
          title={`Save all rows that match as ${label}`}
          onClick={() => void start(label, type, ending)}
        >
          {label}
        </Button>
      ))}
    </>
  );
}
