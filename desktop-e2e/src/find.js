// Finds what a person would name: a control by its role and accessible name. Returns the element, or null.
const [role, name] = arguments;
const SELECTORS = {
  alert: "[role=alert]",
  button: "button,[role=button],summary,input[type=submit]",
  checkbox: "input[type=checkbox],[role=checkbox]",
  combobox: "[role=combobox],select",
  dialog: "[role=dialog],[role=alertdialog],dialog",
  grid: "[role=grid]",
  gridcell: "[role=gridcell],td",
  heading: "h1,h2,h3,h4,[role=heading]",
  link: "a[href],[role=link]",
  listitem: "li,[role=listitem]",
  menuitem: "[role=menuitem],[role=menuitemradio],[role=menuitemcheckbox]",
  option: "[role=option],.ant-select-item-option",
  radio: "input[type=radio],[role=radio]",
  region: "section[aria-label],section[aria-labelledby],[role=region]",
  row: "[role=row],tr",
  status: "[role=status]",
  switch: "[role=switch]",
  tab: "[role=tab]",
  textbox:
    "input:not([type]),input[type=text],input[type=password],input[type=search],input[type=email],input[type=url],input[type=number],textarea,[role=textbox],[role=searchbox]",
};
const clean = (text) => (text || "").replace(/\s+/g, " ").trim();
const nameOf = (element) => {
  const by = element.getAttribute("aria-labelledby");
  const labelled = by && clean(by.split(/\s+/).map((id) => document.getElementById(id)?.textContent || "").join(" "));
  const labels = element.labels && clean([...element.labels].map((label) => label.textContent).join(" "));
  return (
    labelled ||
    clean(element.getAttribute("aria-label")) ||
    labels ||
    clean(element.getAttribute("alt")) ||
    clean(element.innerText) ||
    clean(element.title) ||
    clean(element.placeholder) ||
    clean(element.value)
  );
};
const shown = (element) => {
  const { width, height } = element.getBoundingClientRect();
  return width * height > 0 && !element.closest("[aria-hidden=true],[inert]") && !element.disabled;
};
const all = [...document.querySelectorAll(SELECTORS[role] || `[role=${role}]`)].filter(shown);
// What lies in an open dialog is meant before what lies behind it.
const dialogs = [...document.querySelectorAll("[role=dialog],[role=alertdialog],dialog[open]")].filter(shown);
const inside = (element) => dialogs.some((dialog) => dialog.contains(element));
const ordered = [...all.filter(inside), ...all.filter((element) => !inside(element))];
return (
  ordered.find((element) => nameOf(element) === name) ||
  ordered.find((element) => nameOf(element).includes(name)) ||
  null
);
