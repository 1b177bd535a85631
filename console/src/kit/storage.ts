/** What is kept in the browser. Storage may be full or forbidden; then things are kept until the page closes. */

export function load(name: string): string | null {
  try {
    return localStorage.getItem(`reveille.${name}`);
  } catch {
    return null;
  }
}

export function save(name: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`reveille.${name}`);
    else localStorage.setItem(`reveille.${name}`, value);
  } catch {
    // Kept in memory only.
  }
}

/** A kept list of texts; anything else that stands there is no list. */
export function loadList(name: string): string[] | null {
  try {
    const value: unknown = JSON.parse(load(name) ?? "null");
    return Array.isArray(value) && value.every((item) => typeof item === "string") ? value : null;
  } catch {
    return null;
  }
}
