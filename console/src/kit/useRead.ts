import { useComputed } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { ApiError } from "../api";
import { clock } from "../session";

/** An alert that changes many times a second is not read as often. */
const LEAST_INTERVAL_MS = 1000;
/** Receipts of channels leave the alert's version as it is: what they changed is read after so long at most. */
const MOST_INTERVAL_MS = 10_000;

/** What was read last, and why it could not be read again. */
export interface Reading<T> {
  value: T | null;
  problem: string | null;
}

/**
 * Read something of an alert, now, whenever its version changes, and every so often while the page is visible; the old value
 * stays until the new one is here.
 */
export function useRead<T>(read: (signal: AbortSignal) => Promise<T>, id: string, version: number): Reading<T> {
  const [reading, setReading] = useState<Reading<T> & { of: string }>({ of: id, value: null, problem: null });
  const request = useRef(new AbortController());
  const readAt = useRef(0);
  const openedAt = useMemo(() => clock.peek(), [id]);
  const turn = useComputed(() => Math.floor((clock.value - openedAt) / MOST_INTERVAL_MS)).value;

  useEffect(() => {
    request.current = new AbortController();
    readAt.current = 0;
    return () => request.current.abort();
  }, [id]);

  useEffect(() => {
    const { signal } = request.current;
    const start = () => {
      readAt.current = Date.now();
      read(signal).then(
        (value) => {
          if (!signal.aborted) setReading({ of: id, value, problem: null });
        },
        (error: unknown) => {
          if (signal.aborted) return;
          const problem = error instanceof ApiError ? error.message : String(error);
          setReading((before) => ({ of: id, value: before.of === id ? before.value : null, problem }));
        },
      );
    };
    const timer = setTimeout(start, Math.max(0, readAt.current + LEAST_INTERVAL_MS - Date.now()));
    return () => clearTimeout(timer);
  }, [id, version, turn]);

  return reading.of === id ? reading : { value: null, problem: null };
}
