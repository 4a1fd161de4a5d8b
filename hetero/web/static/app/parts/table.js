// One table for all lists: sorted by its headings, walked by arrows, and on a phone each row a small block.
import { html } from "../html.js";
import { again } from "../route.js";
import { state } from "../state.js";
import { t } from "../words.js";

/**
 * columns: {key, label, cell(row), sort: what the server calls it, number: true, about(row): the label of a cell that
 * is about something else than its column}; the first column's cell is the row's heading. Roles are written out because a phone's layout takes them from the elements.
 */
export function Table({ label, columns, rows, id }) {
  return html`<div class="table-frame">
    <table role="table" aria-label=${label}>
      <thead role="rowgroup">
        <tr role="row">
          ${columns.map((column) => html`<${Heading} key=${column.key} column=${column} />`)}
        </tr>
      </thead>
      <tbody role="rowgroup">
        ${rows.map(
          (row) =>
            html`<tr role="row" key=${id(row)} data-row=${id(row)}>
              ${columns.map((column, index) => html`<${Cell} key=${column.key} column=${column} row=${row} heading=${index === 0} />`)}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function Heading({ column }) {
  const { sort, order } = sorted();
  const mine = column.sort && sort === column.sort;
  const classes = `column-${column.key} ${column.number ? "numbers" : ""}`;
  if (!column.sort) return html`<th role="columnheader" scope="col" class=${classes}>${column.label}</th>`;
  const next = mine && order === "desc" ? "asc" : mine ? "desc" : column.number ? "desc" : "asc";
  return html`<th
    role="columnheader"
    scope="col"
    class=${classes}
    aria-sort=${mine ? `${order === "desc" ? "de" : "a"}scending` : undefined}
  >
    <a
      class="sort"
      href=${again(state.route, { sort: column.sort, order: next })}
      title=${t("table.sort", { column: column.label })}
      >${column.label}<span class="arrow" aria-hidden="true">${mine ? (order === "desc" ? "↓" : "↑") : ""}</span></a
    >
  </th>`;
}

function sorted() {
  return { sort: state.route.query.sort, order: state.route.query.order || "asc" };
}

function Cell({ column, row, heading }) {
  const content = column.cell(row);
  const classes = `column-${column.key} ${column.number ? "numbers" : ""}`;
  const label = column.about?.(row) ?? column.label;
  return heading
    ? html`<th role="rowheader" scope="row" class=${classes} data-label=${label}><div>${content}</div></th>`
    : html`<td role="cell" class=${classes} data-label=${label}><div>${content}</div></td>`;
}
