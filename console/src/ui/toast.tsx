/** Short messages: shown for some seconds, and read out. */

import { createContext, type ReactNode, useCallback, useContext, useMemo, useState } from "react";
import { IconButton } from "./button";

type Tone = "good" | "bad" | "plain";
interface Message {
  id: number;
  text: string;
  tone: Tone;
}
interface Messages {
  announce: (text: string) => void;
  toast: (text: string, tone?: Tone) => void;
}

const MessagesContext = createContext<Messages>({ announce: () => {}, toast: () => {} });
const SHOWN_MS = 6_000;
let lastId = 0;

export function Announcer({ children }: { children: ReactNode }) {
  const [spoken, setSpoken] = useState("");
  const [shown, setShown] = useState<Message[]>([]);
  const close = useCallback((id: number) => setShown((all) => all.filter((one) => one.id !== id)), []);
  const messages = useMemo<Messages>(
    () => ({
      announce: setSpoken,
      toast: (text, tone = "plain") => {
        const id = ++lastId;
        setSpoken(text);
        setShown((all) => [...all.slice(-2), { id, text, tone }]);
        // A failure stays until it is closed.
        if (tone !== "bad") setTimeout(() => close(id), SHOWN_MS);
      },
    }),
    [close],
  );
  return (
    <MessagesContext.Provider value={messages}>
      {children}
      <div className="hidden" role="status" aria-live="polite">
        {spoken}
      </div>
      <section className="toasts" aria-label="Messages">
        {shown.map((one) => (
          <div key={one.id} className={`toast toast-${one.tone}`}>
            <span>{one.text}</span>
            <IconButton icon="close" label="Close" onClick={() => close(one.id)} />
          </div>
        ))}
      </section>
    </MessagesContext.Provider>
  );
}

export const useToast = () => useContext(MessagesContext).toast;
/** Only for screen readers. */
export const useAnnounce = () => useContext(MessagesContext).announce;
