/** Something that a page reads from the server, and reads again while it is open. */
import { type Signal, signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { problemOf } from "./forms";

export interface Resource<T> {
  /** What was read last; null before the first time. */
  value: Signal<T | null>;
  /** Why it could not be read the last time. */
  problem: Signal<string | null>;
  read: () => Promise<void>;
}

export function resource<T>(reading: () => Promise<T>): Resource<T> {
  const value = signal<T | null>(null);
  const problem = signal<string | null>(null);
  const read = async () => {
    try {
      value.value = await reading();
      problem.value = null;
    } catch (error) {
      problem.value = problemOf(error);
    }
  };
  return { value, problem, read };
}

/** Reads now, and again every so often while the component is there and the page is visible. */
export function useReading(of: Resource<unknown>, everyMs: number): void {
  useEffect(() => {
    void of.read();
    const timer = setInterval(() => {
      if (!document.hidden) void of.read();
    }, everyMs);
    return () => clearInterval(timer);
  }, []);
}
