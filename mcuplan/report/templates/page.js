"use strict";
/* Sorts and filters the table of layers; without it the table stands as it was written. */
(function () {
  function value(row, column) {
    var cell = row.cells[column];
    var text = cell.dataset.v || cell.textContent;
    var number = Number(text.replace(/,/g, ""));
    return Number.isNaN(number) || text.trim() === "" ? text : number;
  }
  function order(one, two) {
    if (typeof one === "number" && typeof two === "number") { return one - two; }
    return String(one).localeCompare(String(two));
  }
  function sort(table, column) {
    var head = table.tHead.rows[0].cells[column];
    var down = head.getAttribute("aria-sort") === "ascending";
    var rows = Array.from(table.tBodies[0].rows);
    rows.sort(function (a, b) {
      var found = order(value(a, column), value(b, column));
      return down ? -found : found;
    });
    Array.from(table.tHead.rows[0].cells, function (cell) { cell.removeAttribute("aria-sort"); });
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    table.tBodies[0].append.apply(table.tBodies[0], rows);
  }
  function filter(table, text) {
    var words = text.toLowerCase().split(/\s+/);
    var shown = 0;
    Array.from(table.tBodies[0].rows, function (row) {
      var title = row.querySelector("[title]");
      var has = (row.textContent + " " + (title ? title.title : "")).toLowerCase();
      row.hidden = !words.every(function (word) { return has.includes(word); });
      shown += row.hidden ? 0 : 1;
    });
    return shown;
  }
  Array.from(document.querySelectorAll("table.sorts"), function (table) {
    var box = document.createElement("p");
    var label = document.createElement("label");
    var input = document.createElement("input");
    var said = document.createElement("output");
    label.textContent = "show only ";
    input.type = "search";
    input.addEventListener("input", function () {
      said.textContent = " " + filter(table, input.value) + " of " + table.tBodies[0].rows.length;
    });
    label.append(input);
    box.append(label, said);
    box.className = "filter";
    table.parentNode.before(box);
    Array.from(table.tHead.rows[0].cells, function (head, column) {
      var button = document.createElement("button");
      button.type = "button";
      button.textContent = head.textContent;
      button.addEventListener("click", function () { sort(table, column); });
      head.replaceChildren(button);
    });
  });
}());
