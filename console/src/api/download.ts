/** Lists as files: streamed to the disk where the browser can do that, else kept in memory first. */

import { fetchWithKey, requestOf } from "./client";

export type FileType = "text/csv" | "application/x-ndjson";

interface SaveWindow {
  showSaveFilePicker?: (options: { suggestedName: string }) => Promise<FileSystemFileHandle>;
}

/** Reads all rows that match, and saves them. `onBytes` has the number of bytes so far. */
export async function download(
  path: string,
  query: Record<string, string | undefined>,
  type: FileType,
  name: string,
  onBytes: (bytes: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const { limit: _limit, offset: _offset, cursor: _cursor, ...filters } = query;
  const pick = (window as SaveWindow).showSaveFilePicker;
  // Asked first: browsers allow it only right after a click.
  const file = pick === undefined ? null : await pick.call(window, { suggestedName: name });
  const response = await fetchWithKey(
    requestOf("GET", path, { query: filters, headers: { Accept: type }, signal }),
  );
  if (response.body === null) throw new Error("the answer is empty");
  let bytes = 0;
  const counted = response.body.pipeThrough(
    new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
      transform(chunk, controller) {
        bytes += chunk.byteLength;
        onBytes(bytes);
        controller.enqueue(chunk);
      },
    }),
  );
  if (file !== null) {
    await counted.pipeTo(await file.createWritable(), { signal });
    return;
  }
  saveBlob(await new Response(counted).blob(), name);
}

/** Saves an answer that is small enough for memory. Throws as `fetchWithKey` does. */
export async function saveAnswer(request: Request, name: string): Promise<void> {
  saveBlob(await (await fetchWithKey(request)).blob(), name);
}

function saveBlob(content: Blob, name: string): void {
  const url = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
