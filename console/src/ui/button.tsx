import type { ButtonHTMLAttributes, ReactNode } from "react";
import { Icon, type IconName } from "./icons";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  kind?: "plain" | "primary" | "danger" | "ghost";
  icon?: IconName;
  /** Shown as a key beside the text. */
  hint?: string;
  children?: ReactNode;
}

/** A button with a text; `ghost` has no border. */
export function Button({ kind = "plain", icon, hint, children, type = "button", ...rest }: ButtonProps) {
  return (
    <button {...rest} type={type} className={`button button-${kind} ${rest.className ?? ""}`}>
      {icon && <Icon name={icon} />}
      {children}
      {hint && <kbd>{hint}</kbd>}
    </button>
  );
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  icon: IconName;
  label: string;
}

/** A button with an icon alone; its label is read out and shown on hover. */
export function IconButton({ icon, label, ...rest }: IconButtonProps) {
  return (
    <button
      {...rest}
      type="button"
      className={`icon-button ${rest.className ?? ""}`}
      aria-label={label}
      title={label}
    >
      <Icon name={icon} />
    </button>
  );
}
