import { type ReactNode, useEffect } from "react";

interface PageProps {
  title: string;
  /** One line beside the title. */
  note?: ReactNode;
  actions?: ReactNode;
  /** Filters, below the title. */
  filters?: ReactNode;
  /** Beside the content: a side panel. */
  aside?: ReactNode;
  /** The content fills the window and scrolls in itself, as a grid does. */
  isFull?: boolean;
  children: ReactNode;
}

/** The frame of every page. */
export function Page({ title, note, actions, filters, aside, isFull = false, children }: PageProps) {
  useEffect(() => {
    document.title = `${title} · Trade Service`;
  }, [title]);
  return (
    <div className={`page ${isFull ? "page-full" : ""}`}>
      <header className="page-head">
        <div className="page-title">
          <h1>{title}</h1>
          {note && <p className="muted">{note}</p>}
        </div>
        {actions && <div className="page-actions">{actions}</div>}
      </header>
      {filters}
      <div className="page-body">
        <div className="page-content">{children}</div>
        {aside}
      </div>
    </div>
  );
}
