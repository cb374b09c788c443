/** All pages, in the order of the navigation. */

import type { ComponentType } from "react";
import type { IconName } from "../ui/icons";

export interface PageEntry {
  path: string;
  title: string;
  icon: IconName;
  /** Typed after `g`, it leads here. */
  hotkey: string;
  /** The words the palette finds it by, beside the title. */
  words: string;
  group: "Watch" | "Look up" | "Operate";
  load: () => Promise<{ default: ComponentType }>;
}

export const PAGES: readonly PageEntry[] = [
  {
    path: "/now",
    title: "Now",
    icon: "pulse",
    hotkey: "n",
    words: "dashboard rate latency circuit",
    group: "Watch",
    load: () => import("./now"),
  },
  {
    path: "/needs-you",
    title: "Needs you",
    icon: "hand",
    hotkey: "u",
    words: "unknown resolve settle",
    group: "Watch",
    load: () => import("./needs-you"),
  },
  {
    path: "/failures",
    title: "Failures",
    icon: "alert",
    hotkey: "f",
    words: "rejected exhausted requeue errors",
    group: "Watch",
    load: () => import("./failures"),
  },
  {
    path: "/executions",
    title: "Executions",
    icon: "rows",
    hotkey: "e",
    words: "slices fills",
    group: "Look up",
    load: () => import("./executions"),
  },
  {
    path: "/orders",
    title: "Orders",
    icon: "order",
    hotkey: "o",
    words: "trade orders",
    group: "Look up",
    load: () => import("./orders"),
  },
  {
    path: "/submissions",
    title: "Submissions",
    icon: "send",
    hotkey: "s",
    words: "bulk progress",
    group: "Look up",
    load: () => import("./submissions"),
  },
  {
    path: "/blotter",
    title: "Blotter",
    icon: "upload",
    hotkey: "b",
    words: "upload csv excel file",
    group: "Operate",
    load: () => import("./blotter"),
  },
  {
    path: "/audit",
    title: "Audit",
    icon: "check",
    hotkey: "a",
    words: "ledger findings evidence log",
    group: "Operate",
    load: () => import("./audit"),
  },
  {
    path: "/control",
    title: "Control",
    icon: "control",
    hotkey: "c",
    words: "replicas slow latency circuit pause resume log level",
    group: "Operate",
    load: () => import("./control"),
  },
];
