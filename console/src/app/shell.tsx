/** Navigation, the state of the connection, and the keys that work everywhere. */

import { useEffect, useMemo, useRef, useState } from "react";
import { useSummary } from "../api/queries";
import { lostSince, signOut, useStore } from "../api/session";
import { PAGES, type PageEntry } from "../pages/registry";
import { Button, IconButton } from "../ui/button";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { isUtc, Moment, setUtc, zoneName } from "../ui/values";
import { isTyping, useAllCommands, useCommands } from "./commands";
import { navigate, usePlace } from "./location";
import { useMe } from "./me";
import { Palette } from "./palette";
import { CurrentPage, Link } from "./router";

type Overlay = "palette" | "keys" | null;

export function Shell() {
  const [overlay, setOverlay] = useState<Overlay>(null);
  const [isMenuOpen, setMenuOpen] = useState(false);
  const { page } = usePlace();
  const close = () => setOverlay(null);
  useKeys(setOverlay);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the menu closes with every change of page
  useEffect(() => setMenuOpen(false), [page]);
  useCommands(
    useMemo(
      () => [
        { id: "keys", title: "Show all keys", hotkey: "?", run: () => setOverlay("keys") },
        { id: "zone", title: "Switch times between this zone and UTC", run: () => setUtc(!isUtc.get()) },
      ],
      [],
    ),
  );
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="topbar">
        <IconButton
          icon="menu"
          label="Navigation"
          aria-expanded={isMenuOpen}
          aria-controls="navigation"
          onClick={() => setMenuOpen(!isMenuOpen)}
        />
        <strong>Trade Service</strong>
        <IconButton icon="search" label="Search (Ctrl-K)" onClick={() => setOverlay("palette")} />
      </header>
      <nav id="navigation" className={`sidebar ${isMenuOpen ? "sidebar-open" : ""}`} aria-label="Pages">
        <div className="brand">
          <span className="brand-mark" aria-hidden="true" />
          <strong>Trade Service</strong>
        </div>
        <button type="button" className="go-to" onClick={() => setOverlay("palette")}>
          <Icon name="search" />
          <span>Search</span>
          <kbd>Ctrl K</kbd>
        </button>
        <Navigation />
        <Footer />
      </nav>
      <div className="content">
        <Banners />
        <main id="main" tabIndex={-1}>
          <CurrentPage />
        </main>
      </div>
      {overlay === "palette" && <Palette onClose={close} />}
      {overlay === "keys" && <Keys onClose={close} />}
    </div>
  );
}

const GROUPS: readonly PageEntry["group"][] = ["Watch", "Look up", "Operate"];

function Navigation() {
  const { data } = useSummary();
  const badge: Record<string, number> = { "/needs-you": data?.needsYou ?? 0 };
  return GROUPS.map((group) => (
    <section key={group} className="nav-group" aria-labelledby={`nav-${group}`}>
      <h2 id={`nav-${group}`}>{group}</h2>
      <ul>
        {PAGES.filter((page) => page.group === group).map((page) => (
          <li key={page.path}>
            <Link to={page.path} className="nav-link">
              <Icon name={page.icon} />
              <span>{page.title}</span>
              {(badge[page.path] ?? 0) > 0 && (
                <span className="nav-badge">
                  {badge[page.path]}
                  <span className="hidden"> waiting</span>
                </span>
              )}
            </Link>
          </li>
        ))}
      </ul>
    </section>
  ));
}

function Footer() {
  const me = useMe();
  const utc = useStore(isUtc);
  const role = me.roles.at(-1) ?? "nobody";
  return (
    <footer className="nav-foot">
      <button
        type="button"
        className="zone"
        onClick={() => setUtc(!utc)}
        title="Switch between this zone and UTC"
      >
        Times in {zoneName(new Date(), utc)}
      </button>
      <div className="nav-me">
        <div>
          <strong>{me.name || "Everyone"}</strong>
          <span className="muted">{role}</span>
        </div>
        {!me.openMode && <IconButton icon="out" label="Sign out" onClick={() => signOut()} />}
      </div>
      <p className="muted version">{me.version}</p>
    </footer>
  );
}

function Banners() {
  const me = useMe();
  const lost = useStore(lostSince);
  if (!me.openMode && lost === null) return null;
  return (
    <section aria-label="Notices">
      {me.openMode && (
        <p className="banner banner-open">
          <strong>Open mode.</strong> Nobody signs in: whoever reaches this address sees and does everything.
        </p>
      )}
      {lost !== null && (
        <p className="banner banner-lost" role="alert">
          <strong>Connection lost</strong> since <Moment at={lost.toISOString()} short />. What you see is of
          then; trying again every two seconds.
        </p>
      )}
    </section>
  );
}

/** Ctrl-K, ?, `g` and a page's letter, and the single keys of commands. */
function useKeys(open: (overlay: Overlay) => void): void {
  const commands = useAllCommands();
  const isGoing = useRef(false);
  useEffect(() => {
    const pressed = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        open("palette");
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      if (document.querySelector("dialog[open]")) return;
      const page = isGoing.current ? PAGES.find((one) => one.hotkey === event.key) : undefined;
      const command = commands.find((one) => one.hotkey === event.key);
      if (page) navigate(page.path);
      else if (event.key === "?") open("keys");
      else if (command && !isGoing.current) command.run();
      else {
        isGoing.current = event.key === "g";
        return;
      }
      isGoing.current = false;
      event.preventDefault();
    };
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [open, commands]);
}

const FIXED_KEYS: readonly (readonly [string, string])[] = [
  ["Ctrl K", "Go to a page, a command or an id"],
  ["↑ ↓ Page Home End", "Move in a list"],
  ["Enter", "Open the row"],
  ["Space", "Select the row, where rows can be selected"],
  ["Esc", "Close what is open"],
  ["?", "This list"],
];

function Keys({ onClose }: { onClose: () => void }) {
  const commands = useAllCommands();
  const keys = [
    ...FIXED_KEYS,
    ...commands.flatMap((one) =>
      one.hotkey && one.hotkey !== "?" ? [[one.hotkey, one.title] as const] : [],
    ),
    ...PAGES.map((page) => [`g ${page.hotkey}`, page.title] as const),
  ];
  return (
    <Dialog title="Keys" onClose={onClose}>
      <dl className="keys">
        {keys.map(([key, meaning]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
      <footer className="dialog-actions">
        <Button kind="primary" onClick={onClose}>
          Close
        </Button>
      </footer>
    </Dialog>
  );
}
