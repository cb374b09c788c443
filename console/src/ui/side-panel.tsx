/** Details beside a list: over it on a narrow screen. Escape closes it and returns the focus. */

import { type ReactNode, useEffect, useRef } from "react";
import { IconButton } from "./button";

interface SidePanelProps {
  title: ReactNode;
  /** Read out. */
  label: string;
  actions?: ReactNode;
  onClose: () => void;
  children: ReactNode;
}

export function SidePanel({ title, label, actions, onClose, children }: SidePanelProps) {
  const panel = useRef<HTMLElement>(null);
  useEffect(() => {
    const before = document.activeElement;
    if (matchMedia("(max-width: 60rem)").matches) panel.current?.focus();
    return () => {
      if (before instanceof HTMLElement && before.isConnected) before.focus({ preventScroll: true });
    };
  }, []);
  useEffect(() => {
    const close = (event: KeyboardEvent) => {
      if (event.key === "Escape" && !event.defaultPrevented && !document.querySelector("dialog[open]"))
        onClose();
    };
    window.addEventListener("keydown", close);
    return () => window.removeEventListener("keydown", close);
  }, [onClose]);
  return (
    <aside className="side-panel" aria-label={label} ref={panel} tabIndex={-1}>
      <header className="side-panel-head">
        <h2>{title}</h2>
        <IconButton icon="close" label="Close (Esc)" onClick={onClose} />
      </header>
      {/* A scrolling region must be reachable by keyboard. */}
      <div className="side-panel-body" tabIndex={0} role="region" aria-label={`${label}: details`}>
        {children}
      </div>
      {actions && <footer className="side-panel-actions">{actions}</footer>}
    </aside>
  );
}

/** Names and values, in two columns. */
export function Facts({ facts }: { facts: readonly (readonly [string, ReactNode] | null | false)[] }) {
  return (
    <dl className="facts">
      {facts.map(
        (fact) =>
          fact && (
            <div key={fact[0]}>
              <dt>{fact[0]}</dt>
              <dd>{fact[1]}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

export type Tone = "good" | "bad" | "warn" | "info" | "plain";

export interface TimelineItem {
  id: string;
  at: string | null;
  tone: Tone;
  title: ReactNode;
  body?: ReactNode;
}
