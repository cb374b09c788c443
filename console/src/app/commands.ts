/** What the palette offers beside the pages: each page adds its own while it is open. */

import { useEffect } from "react";
import { createStore, useStore } from "../api/session";
import type { IconName } from "../ui/icons";

export interface Command {
  id: string;
  title: string;
  icon?: IconName;
  words?: string;
  /** A single key, typed outside of fields. */
  hotkey?: string;
  run: () => void;
}

const commands = createStore<readonly Command[]>([]);

/** Adds commands while the caller is on the screen. Memoize the list. */
export function useCommands(list: readonly Command[]): void {
  useEffect(() => {
    commands.set([...commands.get(), ...list]);
    return () => commands.set(commands.get().filter((one) => !list.includes(one)));
  }, [list]);
}

export const useAllCommands = () => useStore(commands);

export function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.matches("textarea, select, input:not([type=checkbox], [type=radio])"))
  );
}
