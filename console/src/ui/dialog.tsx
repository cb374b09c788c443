import { type ReactNode, useEffect, useRef } from "react";
import { IconButton } from "./button";

interface DialogProps {
  title: string;
  onClose: () => void;
  children: ReactNode;
  className?: string;
  /** Left out of the picture, but read out. */
  hideTitle?: boolean;
}

/** A modal dialog. The browser keeps the focus in it, closes it with Escape, and returns the focus. */
export function Dialog({ title, onClose, children, className = "", hideTitle = false }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const element = dialog.current;
    if (element && !element.open) {
      element.showModal();
      // Else the focus is on the button that closes it.
      element.querySelector<HTMLElement>("input, select, textarea")?.focus();
    }
    return () => element?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the click is that of the backdrop; Escape does the same
    <dialog
      ref={dialog}
      className={`dialog ${className}`}
      aria-label={title}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <div className="dialog-inside">
        {!hideTitle && (
          <header className="dialog-head">
            <h2>{title}</h2>
            <IconButton icon="close" label="Close" onClick={onClose} />
          </header>
        )}
        {children}
      </div>
    </dialog>
  );
}
