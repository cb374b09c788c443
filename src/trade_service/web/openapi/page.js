// Shows openapi.json, which stands beside this script. Everything becomes text nodes, nothing of the description is read as markup.
"use strict";

const source = document.currentScript.src;
let api;

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

// Text with what stands between backticks as code.
function prose(text) {
  return (text || "").split("`").map((part, number) => (number % 2 ? el("code", {}, part) : part));
}

// Every paragraph of a text by itself; where its lines break in the source means nothing.
function paragraphs(text, attributes) {
  return (text || "").split(/\n\s*\n/).map((one) => el("p", attributes, ...prose(one)));
}

function resolved(value) {
  while (value && value.$ref) {
    value = value.$ref.slice(2).split("/").reduce((place, step) => place[step], api);
  }
  return value || {};
}

function nameOf(schema) {
  return schema && schema.$ref ? schema.$ref.split("/").pop() : "";
}

// A schema in a few words: its type and its bounds.
function words(schema) {
  const name = nameOf(schema);
  const real = resolved(schema);
  if (real.anyOf) return real.anyOf.map(words).join(" or ");
  if (real.type === "array") return "list of " + words(real.items || {});
  const bounds = [];
  if (real.enum) bounds.push(real.enum.join(", "));
  if (real.format) bounds.push(real.format);
  if (real.minimum !== undefined) bounds.push("≥ " + real.minimum);
  if (real.exclusiveMinimum !== undefined) bounds.push("> " + real.exclusiveMinimum);
  if (real.maximum !== undefined) bounds.push("≤ " + real.maximum);
  if (real.exclusiveMaximum !== undefined) bounds.push("< " + real.exclusiveMaximum);
  if (real.maxLength !== undefined) bounds.push("at most " + real.maxLength + " characters");
  return (name || real.type || "anything") + (bounds.length ? " (" + bounds.join("; ") + ")" : "");
}

// The fields of an object; those of objects within it are folded below.
function shape(schema, seen = []) {
  const name = nameOf(schema);
  const real = resolved(schema);
  if (real.anyOf) return el("div", {}, ...real.anyOf.filter((one) => nameOf(one)).map((one) => shape(one, seen)));
  if (real.type === "array") return shape(real.items || {}, seen);
  if (!real.properties || seen.includes(name)) return "";
  const rows = Object.entries(real.properties).map(([field, one]) => {
    const within = shape(one, [...seen, name]);
    const needed = (real.required || []).includes(field) ? "" : el("span", { class: "dim" }, " optional");
    const cell = el("td", {}, words(one), one.description ? el("div", { class: "dim" }, ...prose(one.description)) : "");
    if (within instanceof Node && within.childNodes.length) {
      cell.append(el("details", {}, el("summary", { class: "dim" }, "fields"), within));
    }
    return el("tr", {}, el("td", {}, el("code", {}, field), needed), cell);
  });
  return el("table", {}, ...rows);
}

function content(body) {
  return Object.entries(body.content || {}).map(([type, one]) => {
    const example = one.example === undefined ? "" : el("pre", {}, JSON.stringify(one.example, null, 2));
    const title = el("div", {}, el("code", {}, type), " ", words(one.schema || {}));
    return el("div", {}, title, shape(one.schema || {}), example);
  });
}

function parameters(operation) {
  if (!(operation.parameters || []).length) return "";
  const rows = operation.parameters.map((one) => {
    const where = el("span", { class: "dim" }, ` ${one.in}${one.required ? "" : ", optional"}`);
    const cell = el("td", {}, words(one.schema), el("div", { class: "dim" }, ...prose(one.description)));
    return el("tr", {}, el("td", {}, el("code", {}, one.name), where), cell);
  });
  return el("section", {}, el("h3", {}, "Parameters"), el("table", {}, ...rows));
}

// What a client goes on with after an answer.
function links(answer) {
  const all = Object.values(answer.links || {}).map(resolved);
  if (!all.length) return "";
  const rows = all.map((link) => el("li", {},
    el("a", { href: "#" + link.operationId }, link.operationId), " ", el("span", { class: "dim" }, link.description)));
  return el("div", {}, el("span", { class: "dim" }, "Goes on with:"), el("ul", { class: "links" }, ...rows));
}

function answers(operation) {
  const all = Object.entries(operation.responses).map(([status, given]) => {
    const answer = resolved(given);
    const summary = el("summary", {}, el("code", {}, status), " ", ...prose(answer.description));
    const headers = Object.keys(answer.headers || {});
    const cell = headers.length ? el("div", { class: "dim" }, "Headers: " + headers.join(", ")) : "";
    return el("details", { class: "answer" }, summary, cell, ...content(answer), links(answer));
  });
  return el("section", {}, el("h3", {}, "Answers"), ...all);
}

function operationNode(path, method, operation) {
  const summary = el("summary", {}, el("span", { class: "method " + method }, method),
    el("span", { class: "path" }, path), el("span", { class: "dim" }, ...prose(operation.summary)));
  const node = el("details", { class: "operation", id: operation.operationId }, summary);
  // Filled when it is first opened: the page is there at once.
  node.addEventListener("toggle", () => {
    if (!node.open || node.childNodes.length > 1) return;
    const body = operation.requestBody;
    node.append(el("div", { class: "inside" },
      ...paragraphs(operation.description),
      parameters(operation),
      body ? el("section", {}, el("h3", {}, "Body"), ...content(body)) : "",
      answers(operation)));
  });
  node.words = `${method} ${path} ${operation.summary} ${operation.operationId}`.toLowerCase();
  return node;
}

function show() {
  const main = document.getElementById("operations");
  const index = document.getElementById("index");
  document.getElementById("title").textContent = `${api.info.title} ${api.info.version}`;
  main.replaceChildren(...paragraphs(api.info.description, { class: "about" }));
  const nodes = [];
  for (const tag of api.tags) {
    main.append(el("h2", {}, tag.name), el("div", { class: "dim" }, tag.description));
    index.append(el("b", {}, tag.name));
    for (const [path, item] of Object.entries(api.paths)) {
      for (const [method, operation] of Object.entries(item)) {
        if (!operation.tags.includes(tag.name)) continue;
        const node = operationNode(path, method, operation);
        const link = el("a", { href: "#" + operation.operationId }, el("span", { class: method }, method), " ", path);
        nodes.push([node, link]);
        main.append(node);
        index.append(link);
      }
    }
  }
  document.getElementById("search").addEventListener("input", (event) => {
    const wanted = event.target.value.toLowerCase().split(/\s+/);
    for (const [node, link] of nodes) {
      node.hidden = link.hidden = !wanted.every((word) => node.words.includes(word));
    }
  });
  const open = () => {
    const node = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (!node || node.tagName !== "DETAILS") return;
    node.hidden = false;
    node.open = true;
    node.scrollIntoView();
  };
  addEventListener("hashchange", open);
  open();
}

fetch(new URL("openapi.json", source))
  .then((answer) => answer.json())
  .then((found) => { api = found; show(); })
  .catch((error) => { document.getElementById("operations").textContent = `The description did not load: ${error}`; });
