/** Ctrl-K: pages, commands, and anything by its id. */

import { useId, useMemo, useState } from "react";
import { PAGES } from "../pages/registry";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { type Command, useAllCommands } from "./commands";
import { navigate } from "./location";

export function Palette({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const [active, setActive] = useState(0);
  const listId = useId();
  const commands = useAllCommands();
  const found = useMemo(() => matching(text, commands), [text, commands]);
  const chosen = Math.min(active, found.length - 1);
  const run = (command: Command | undefined) => {
    if (!command) return;
    onClose();
    command.run();
  };
  return (
    <Dialog title="Go to" onClose={onClose} className="palette" hideTitle>
      <div className="palette-input">
        <Icon name="search" />
        <input
          role="combobox"
          aria-label="Go to a page, a command or an id"
          aria-expanded="true"
          aria-controls={listId}
          aria-activedescendant={found[chosen] ? `${listId}-${chosen}` : undefined}
          placeholder="A page, a command, or an id"
          value={text}
          autoFocus
          onChange={(event) => {
            setText(event.target.value);
            setActive(0);
          }}
          onKeyDown={(event) => {
            const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
            if (step) {
              event.preventDefault();
              setActive((chosen + step + found.length) % Math.max(1, found.length));
            }
            if (event.key === "Enter") {
              event.preventDefault();
              run(found[chosen]);
            }
          }}
        />
      </div>
      <div className="palette-list" role="listbox" id={listId} aria-label="Found">
        {found.map((command, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the input has the keys
          <div
            key={command.id}
            id={`${listId}-${index}`}
            role="option"
            aria-selected={index === chosen}
            className="palette-item"
            onMouseMove={() => setActive(index)}
            onClick={() => run(command)}
          >
            {command.icon && <Icon name={command.icon} />}
            <span>{command.title}</span>
            {command.hotkey && <kbd>{command.hotkey}</kbd>}
          </div>
        ))}
        {found.length === 0 && <p className="muted palette-none">Nothing has this name.</p>}
      </div>
    </Dialog>
  );
}

export function matching(text: string, commands: readonly Command[]): Command[] {
  const wanted = text.trim().toLowerCase();
  const pages = PAGES.map((page) => ({
    id: page.path,
    title: page.title,
    icon: page.icon,
    words: page.words,
    hotkey: `g ${page.hotkey}`,
    run: () => navigate(page.path),
  }));
  const all: Command[] = [...byId(text.trim()), ...commands, ...pages];
  if (wanted === "") return all;
  return all.filter(
    (one) => one.id.startsWith("id:") || `${one.title} ${one.words ?? ""}`.toLowerCase().includes(wanted),
  );
}

function byId(text: string): Command[] {
  if (/^\d{1,10}$/.test(text)) {
    return [
      {
        id: "id:execution",
        title: `Execution ${text}`,
        icon: "rows",
        run: () => navigate("/executions", { open: text }),
      },
      {
        id: "id:order",
        title: `Trade order ${text}`,
        icon: "order",
        run: () => navigate("/orders", { open: text }),
      },
      {
        id: "id:orderId",
        title: `Orders with order id ${text}`,
        icon: "search",
        run: () => navigate("/orders", { orderId: text }),
      },
    ];
  }
  if (/^[0-9a-f]{8}-[0-9a-f-]{27}$/i.test(text)) {
    return [
      {
        id: "id:submission",
        title: `Submission ${text}`,
        icon: "send",
        run: () => navigate("/submissions", { open: text }),
      },
    ];
  }
  return [];
}
