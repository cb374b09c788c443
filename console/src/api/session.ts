/** The key of this tab, kept in sessionStorage only, and whether the service can be reached. */

import { useSyncExternalStore } from "react";

const KEY = "trade-service.key";

class Store<T> {
  #value: T;
  #listeners = new Set<() => void>();

  constructor(value: T) {
    this.#value = value;
  }

  get = (): T => this.#value;

  set(value: T): void {
    if (Object.is(value, this.#value)) return;
    this.#value = value;
    for (const listener of this.#listeners) listener();
  }

  subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}

export function createStore<T>(value: T): Store<T> {
  return new Store(value);
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.get);
}

export interface Session {
  key: string | null;
  /** Why the last key is no longer used. */
  refusal: string | null;
}

export const session = createStore<Session>({ key: sessionStorage.getItem(KEY), refusal: null });

export function signIn(key: string): void {
  sessionStorage.setItem(KEY, key);
  session.set({ key, refusal: null });
}

export function signOut(refusal: string | null = null): void {
  sessionStorage.removeItem(KEY);
  session.set({ key: null, refusal });
}

/** Since when no request gets an answer; null while requests do. */
export const lostSince = createStore<Date | null>(null);
