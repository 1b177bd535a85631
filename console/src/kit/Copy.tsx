import { useState } from "preact/hooks";
import { Icon } from "./Icon";

/** A line to be copied to a terminal, with a button that does so. */
export function CopyLine({ text, label }: { text: string; label: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <div class="copy-line">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard. */}
      <pre tabIndex={0} data-testid="copy-text">
        {text}
      </pre>
      <button
        type="button"
        class="icon-button"
        aria-label={label}
        title={copied ? "Copied" : label}
        onClick={() => {
          // Without a secure connection the browser lends no clipboard; the text can be selected.
          void navigator.clipboard?.writeText(text).then(() => setCopied(true));
        }}
      >
        <Icon name={copied ? "acknowledge" : "copy"} />
      </button>
    </div>
  );
}

/** The types whose senders post the generic body. */
const GENERIC_TYPES = ["any", "api"];

export function isGeneric(type: string): boolean {
  return GENERIC_TYPES.includes(type);
}

/** A curl line that sends through an integration of this type; the key is not known here. */
export function curlLine(type: string): string {
  const example = {
    alert_name: "Disk almost full",
    alert_severity: "critical",
    source: "test",
    object: "web-1",
    notification_output: "/var is 97 % full",
  };
  const body = isGeneric(type) ? `'${JSON.stringify(example)}'` : "@body.json";
  return `curl -X POST '${location.origin}/monitoring-system/${isGeneric(type) ? "api" : type}' \\
  -H "X-Integration-Key: $REVEILLE_KEY" -H 'Content-Type: application/json' \\
  -d ${body}`;
}
