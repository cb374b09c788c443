import { options } from "preact";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import "./ui/styles.css";
import { App } from "./app/app";

// Effects run right after their render, as React's do after a key or a click: the next key finds what the last one changed.
options.requestAnimationFrame = queueMicrotask;

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
