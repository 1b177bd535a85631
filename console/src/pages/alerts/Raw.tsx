import { CopyButton } from "../../kit/Copy";
import type { Alert } from "../../protocol";

/** The alert as the API has it. */
export function Raw({ alert }: { alert: Alert }) {
  const text = JSON.stringify(alert, null, 2);
  return (
    <section>
      <div class="tab-tools">
        <a href={`/api/v1/alerts/${alert.fingerprint}`} target="_blank" rel="noopener">
          /api/v1/alerts/{alert.fingerprint}
        </a>
        <span class="space" />
        <CopyButton text={text} label="Copy the JSON" icon="copy" />
      </div>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reached by the keyboard. */}
      <pre class="raw" tabIndex={0} data-testid="raw">
        {text}
      </pre>
    </section>
  );
}
