//! The lines of a file, each as a body that can be posted.

use std::io::{BufRead, BufReader};

use anyhow::{Context as _, bail};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::{Format, Refused};

/// A line, or row, of the file.
pub(super) struct Line {
    /// Where it begins, from 1.
    pub(super) number: u64,
    /// The body, or why it is none.
    pub(super) alert: Result<String, Refused>,
}

pub(super) type Lines = Box<dyn Iterator<Item = anyhow::Result<Line>>>;

/// The columns of the generic API; `labels.x`, `annotations.x` and `links.x` come beside them.
const COLUMNS: [&str; 9] = [
    "alert_name",
    "alert_severity",
    "source",
    "object",
    "notification_output",
    "service",
    "environment_id",
    "scenario_id",
    "graph_url",
];
/// What a column begins with, and the field of the API that it goes into.
const GROUPS: [(&str, &str); 3] = [
    ("labels.", "additional_fields"),
    ("annotations.", "annotations"),
    ("links.", "additional_urls"),
];

/// What there is to post, in order.
pub(super) fn of(format: Format, input: Box<dyn BufRead>) -> anyhow::Result<Lines> {
    match format {
        Format::Ndjson => Ok(Box::new(ndjson(input))),
        Format::Csv => csv(input),
    }
}

fn ndjson(input: impl BufRead) -> impl Iterator<Item = anyhow::Result<Line>> {
    let lines = (1..).zip(input.split(b'\n'));
    lines.filter_map(|(number, line)| {
        let line = match line {
            Ok(line) => line,
            Err(error) => return Some(Err(error).with_context(|| format!("line {number} cannot be read"))),
        };
        let line = line.trim_ascii();
        let alert = || match serde_json::from_slice::<&RawValue>(line) {
            Ok(body) => Ok(body.get().to_owned()),
            Err(error) => Err(Refused {
                line: number,
                field: None,
                reason: format!("is not JSON: {error}"),
            }),
        };
        (!line.is_empty()).then(|| {
            Ok(Line {
                number,
                alert: alert(),
            })
        })
    })
}

fn csv(input: Box<dyn BufRead>) -> anyhow::Result<Lines> {
    let mut reader = ::csv::ReaderBuilder::new()
        .flexible(true)
        .from_reader(BufReader::new(input));
    let columns: Vec<String> = reader
        .headers()
        .context("the first row cannot be read")?
        .iter()
        .map(|name| name.trim().trim_start_matches('\u{feff}').to_owned())
        .collect();
    let is_known = |name: &str| COLUMNS.contains(&name) || group(name).is_some();
    if let Some(unknown) = columns.iter().find(|name| !is_known(name)) {
        bail!(
            "there is no column {unknown:?}; the first row names fields of the generic API: {}, labels.NAME, annotations.NAME or links.TITLE",
            COLUMNS.join(", ")
        );
    }
    let rows = reader.into_records().map(move |row| {
        let row = row.context("a row cannot be read")?;
        let number = row.position().map_or(0, ::csv::Position::line);
        Ok(Line {
            number,
            alert: alert(&columns, &row, number),
        })
    });
    Ok(Box::new(rows))
}

fn group(column: &str) -> Option<(&'static str, &str)> {
    GROUPS.iter().find_map(|(prefix, field)| {
        let name = column.strip_prefix(prefix)?;
        (!name.is_empty()).then_some((*field, name))
    })
}

/// The body of a row; empty cells say nothing.
fn alert(columns: &[String], row: &::csv::StringRecord, line: u64) -> Result<String, Refused> {
    if row.len() != columns.len() {
        return Err(Refused {
            line,
            field: None,
            reason: format!(
                "has {} cells, but there are {} columns; put a cell with commas into quotes",
                row.len(),
                columns.len()
            ),
        });
    }
    let mut body = Map::new();
    for (column, cell) in columns.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
        let (into, name) = match group(column) {
            Some((field, name)) => {
                let fields = body.entry(field).or_insert_with(|| Value::Object(Map::new()));
                (fields.as_object_mut(), name)
            }
            None => (Some(&mut body), column.as_str()),
        };
        if let Some(into) = into {
            into.insert(name.to_owned(), Value::from(cell));
        }
    }
    Ok(Value::Object(body).to_string())
}
