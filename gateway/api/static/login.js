// Signing in and out, and a new password. Everything goes through /api/v1/session; nothing is kept by this page.
const words = JSON.parse(document.getElementById("words").textContent);
const byId = (id) => document.getElementById(id);
let me = null;

async function ask(method, path, body) {
  const headers = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  if (me?.csrf) headers["X-CSRF-Token"] = me.csrf;
  const response = await fetch(`/api/v1/session${path}`, { method, headers, body: body && JSON.stringify(body) });
  const said = response.status === 204 ? null : await response.json();
  if (!response.ok) throw Object.assign(new Error(said?.detail ?? response.statusText), { status: response.status });
  return said;
}

function show() {
  byId("sign-in").hidden = me !== null;
  byId("signed-in").hidden = me === null;
  if (me === null) {
    byId("sign-in").elements.name.focus();
    return;
  }
  if (me.role === null) {
    for (const part of byId("signed-in").querySelectorAll("form, button")) part.hidden = true; // no accounts
  }
  byId("who").textContent = me.name;
  byId("role").textContent = me.role ?? "";
  byId("must").hidden = !me.must_change_password;
  byId("factor").hidden = me.must_change_password;
  byId("needs-factor").hidden = me.must_change_password || me.permissions.length > 0;
  byId("change").elements.name.value = me.account;
}

function when(form, work) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    byId("said").textContent = "";
    try {
      await work(Object.fromEntries(new FormData(form)));
    } catch (error) {
      byId("said").textContent = error.message;
    }
  });
}

when(byId("sign-in"), async ({ name, password, code }) => {
  me = await ask("POST", "", code ? { name, password, code } : { name, password });
  if (me.must_change_password || me.permissions.length === 0) show();
  else location.assign("/");
});

when(byId("change"), async ({ password, new: fresh }) => {
  await ask("POST", "/password", { password, new: fresh });
  me = null; // all sessions of the account have ended
  show();
  byId("said").textContent = words.changed;
});

when(byId("factor"), async ({ password }) => {
  const { uri } = await ask("POST", "/totp", { password });
  byId("factor-link").href = uri;
  byId("factor-secret").textContent = new URL(uri).searchParams.get("secret");
  byId("confirm").hidden = false;
  byId("confirm").elements.code.focus();
});

when(byId("confirm"), async ({ code }) => {
  await ask("POST", "/totp/confirm", { code });
  location.assign("/");
});

byId("sign-out").addEventListener("click", async () => {
  try {
    await ask("DELETE", "");
  } finally {
    me = null;
    show();
  }
});

try {
  me = await ask("GET", "");
} catch (error) {
  if (error.status !== 401) byId("said").textContent = error.message;
}
show();
