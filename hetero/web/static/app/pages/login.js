// Who are you? A bearer token of Kubernetes, which the server keeps in its memory alone and the page nowhere.
import { html } from "../html.js";
import { ask } from "../api.js";
import { keep, kept } from "../state.js";
import { t } from "../words.js";

const HOW = "kubectl create token NAME --namespace NAMESPACE";

/** The form; `entered` is called with the session. */
export function Login({ entered }) {
  const problem = kept("login", "");
  return html`<div class="login">
    <h1 tabindex="-1">${t("login.title")}</h1>
    <form class="panel" onSubmit=${(event) => submit(event, entered)}>
      <label for="token">${t("login.token")}</label>
      <input
        id="token"
        name="token"
        type="password"
        required
        autocomplete="off"
        spellcheck=${false}
        aria-describedby="login-how"
        aria-invalid=${problem ? "true" : undefined}
      />
      <p id="login-how" class="muted">${t("login.how")} <code>${HOW}</code></p>
      <p class="login-problem" role="alert" lang="en">${problem}</p>
      <button type="submit" class="primary" disabled=${kept("entering", false)}>${t("login.enter")}</button>
    </form>
  </div>`;
}

async function submit(event, entered) {
  event.preventDefault();
  const field = event.target.elements.token;
  const token = field.value.trim();
  field.value = "";
  keep("entering", true);
  try {
    const session = await ask("session", "POST", { token });
    keep("login", "");
    entered(session);
  } catch (refused) {
    keep("login", refused.message || t("problem.unreached"));
    field.focus();
  } finally {
    keep("entering", false);
  }
}
