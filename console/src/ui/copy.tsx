import { useEffect, useState } from "react";
import { IconButton } from "./button";
import { useAnnounce } from "./toast";

/** Copies a text, and says so for two seconds. */
export function CopyButton({ text, label = "Copy" }: { text: string; label?: string }) {
  const [isCopied, setCopied] = useState(false);
  const announce = useAnnounce();
  useEffect(() => {
    if (!isCopied) return;
    const timer = setTimeout(() => setCopied(false), 2_000);
    return () => clearTimeout(timer);
  }, [isCopied]);
  return (
    <IconButton
      icon={isCopied ? "done" : "copy"}
      label={label}
      className="copy"
      onClick={async (event) => {
        event.stopPropagation();
        await copyText(text);
        setCopied(true);
        announce("Copied");
      }}
    />
  );
}

/** Browsers give pages the clipboard over HTTPS and on this machine only; elsewhere a selection is copied. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}
