/** The name under which an operator acts. */
import { useState } from "preact/hooks";
import { closeDialog, FormDialog, openDialog } from "./kit/forms";
import { author, ownName } from "./session";

/** Go on under a name; asks for it first when none is known. */
export function withAuthor(afterwards: () => void): void {
  if (author.peek()) afterwards();
  else openNameDialog(afterwards);
}

export function openNameDialog(afterwards: () => void = () => {}): void {
  openDialog(() => <NameDialog key="name" afterwards={afterwards} />);
}

function NameDialog({ afterwards }: { afterwards: () => void }) {
  const [name, setName] = useState(ownName.peek() ?? "");
  return (
    <FormDialog
      title="Your name"
      submit="Go on"
      testId="name-dialog"
      onClose={closeDialog}
      onSubmit={async () => {
        ownName.value = name.trim();
        closeDialog();
        afterwards();
      }}
    >
      <p>Others read it beside what you do. It is kept in this browser.</p>
      <label class="field">
        Name
        <input
          type="text"
          name="name"
          autocomplete="name"
          required
          pattern=".*\S.*"
          maxLength={100}
          autofocus
          dir="auto"
          value={name}
          onInput={(event) => setName(event.currentTarget.value)}
        />
      </label>
    </FormDialog>
  );
}
