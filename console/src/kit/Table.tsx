/** A table of a page, made of its table of columns; on a phone each row is a card. */

export interface Column<T> {
  id: string;
  title: string;
  cell: (row: T) => preact.ComponentChild;
}

export function Table<T extends { id: string }>(properties: {
  label: string;
  columns: readonly Column<T>[];
  rows: readonly T[];
  testId: string;
}) {
  const { label, columns, rows, testId } = properties;
  return (
    <table class="plain-table" aria-label={label} data-testid={testId}>
      <thead>
        <tr>
          {columns.map((column) => (
            <th key={column.id} scope="col">
              {column.title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row) => (
          <tr key={row.id} data-testid={`${testId}-row`} data-id={row.id}>
            {columns.map((column) => (
              <td key={column.id} data-title={column.title}>
                {column.cell(row)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
