//! The table.

use std::fmt::Write as _;

use crate::subject::Kind;
use crate::usage::Spent;

/// More than the kernel's own work for what is measured, in % of one core, is somebody else's.
const QUIET_PERCENT: f64 = 40.0;

/// What a number is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// So many a second.
    PerSecond,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
    /// Megabytes (10⁶ bytes).
    Megabytes,
    /// Share of one processor.
    Percent,
    /// A plain number.
    Number,
}

/// A row's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Title {
    /// What is measured.
    pub(crate) what: String,
    /// Under which load.
    pub(crate) load: String,
    /// Of what.
    pub(crate) unit: Unit,
    /// What the design asks for; empty where it asks for nothing.
    pub(crate) bar: &'static str,
}

impl Title {
    /// A row without a bar.
    pub(crate) fn new(what: impl Into<String>, load: impl Into<String>, unit: Unit) -> Self {
        Self {
            what: what.into(),
            load: load.into(),
            unit,
            bar: "",
        }
    }

    /// The same with a bar.
    pub(crate) fn bar(self, bar: &'static str) -> Self {
        Self { bar, ..self }
    }
}

#[derive(Debug, Clone, PartialEq)]
struct Cell {
    value: f64,
    note: String,
}

struct Row {
    title: Title,
    cells: [Option<Cell>; 3],
}

struct Cost {
    kind: Kind,
    what: String,
    alerts: f64,
    spent: Spent,
}

/// Everything that was measured.
#[derive(Default)]
pub(crate) struct Report {
    rows: Vec<Row>,
    costs: Vec<Cost>,
    remarks: Vec<String>,
}

impl Report {
    /// A figure of one of the three.
    pub(crate) fn figure(&mut self, kind: Kind, title: Title, value: f64) {
        self.noted(kind, title, value, String::new());
    }

    /// The same with a few words.
    pub(crate) fn noted(&mut self, kind: Kind, title: Title, value: f64, note: String) {
        tests::say(&format!(
            "  {}: {}, {}: {} {note}",
            kind.name(),
            title.what,
            title.load,
            shown(value, title.unit)
        ));
        let place = match self.rows.iter().position(|row| row.title == title) {
            Some(place) => place,
            None => {
                self.rows.push(Row {
                    title,
                    cells: [None, None, None],
                });
                self.rows.len() - 1
            }
        };
        self.rows[place].cells[kind as usize] = Some(Cell { value, note });
    }

    /// What a load of so many alerts has cost.
    pub(crate) fn cost(&mut self, kind: Kind, what: impl Into<String>, alerts: f64, spent: Spent) {
        self.costs.push(Cost {
            kind,
            what: what.into(),
            alerts,
            spent,
        });
    }

    /// Something that a reader of the figures must know.
    pub(crate) fn remark(&mut self, kind: Kind, text: impl Into<String>) {
        let text = format!("{}: {}", kind.name(), text.into());
        tests::say(&format!("  ! {text}"));
        self.remarks.push(text);
    }

    /// The whole report in Markdown.
    pub(crate) fn markdown(&self, facts: &[String]) -> String {
        let mut text = String::new();
        // Writing to a text cannot fail.
        for fact in facts {
            let _ = writeln!(text, "- {fact}");
        }
        text.push_str(
            "\n| What | Load | up | real services | alertmanager | up : alertmanager | real : alertmanager | Bar |\n\
             |---|---|---:|---:|---:|---:|---:|---|\n",
        );
        for row in &self.rows {
            let [up, real, peer] = &row.cells;
            let cells = row
                .cells
                .each_ref()
                .map(|cell| cell_text(cell.as_ref(), row.title.unit));
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} | {} |",
                row.title.what,
                row.title.load,
                cells.join(" | "),
                ratio(up.as_ref(), peer.as_ref()),
                ratio(real.as_ref(), peer.as_ref()),
                row.title.bar
            );
        }
        text.push_str(
            "\n| Processor time | Subject | Seconds | Alerts | By process: % of one core (µs for each alert) | \
             Load generator | Everything else |\n|---|---|---:|---:|---|---:|---:|\n",
        );
        for cost in &self.costs {
            text.push_str(&cost.line());
        }
        text.push('\n');
        let busiest = self.costs.iter().map(Cost::others_percent).fold(0.0, f64::max);
        if busiest > QUIET_PERCENT {
            let _ = writeln!(
                text,
                "- The machine was not quiet: everything else took up to {busiest:.0} % of one core, so on a quiet one the \
                 figures are better."
            );
        }
        for remark in &self.remarks {
            let _ = writeln!(text, "- {remark}");
        }
        text
    }
}

impl Cost {
    fn others_percent(&self) -> f64 {
        100.0 * self.spent.others / self.spent.seconds.max(1e-9)
    }

    fn line(&self) -> String {
        let percent = |seconds: f64| 100.0 * seconds / self.spent.seconds.max(1e-9);
        let mut parts = self.spent.parts.clone();
        parts.sort_by(|(_, one), (_, other)| other.total_cmp(one));
        let parts = parts.iter().filter(|(_, seconds)| percent(*seconds) >= 0.5);
        let parts: Vec<_> = parts
            .map(|(name, seconds)| {
                let each = 1e6 * seconds / self.alerts.max(1.0);
                format!("{name} {:.0} ({each:.0})", percent(*seconds))
            })
            .collect();
        format!(
            "| {} | {} | {:.1} | {} | {} | {:.0} | {:.0} |\n",
            self.what,
            self.kind.name(),
            self.spent.seconds,
            grouped(self.alerts),
            parts.join(", "),
            percent(self.spent.client),
            self.others_percent()
        )
    }
}

fn cell_text(cell: Option<&Cell>, unit: Unit) -> String {
    match cell {
        None => "–".to_owned(),
        Some(Cell { value, note }) if note.is_empty() => shown(*value, unit),
        Some(Cell { value, note }) => format!("{} ({note})", shown(*value, unit)),
    }
}

fn ratio(ours: Option<&Cell>, peer: Option<&Cell>) -> String {
    match (ours, peer) {
        (Some(ours), Some(peer)) if peer.value > 0.0 => format!("{:.2}", ours.value / peer.value),
        _ => "–".to_owned(),
    }
}

fn shown(value: f64, unit: Unit) -> String {
    match unit {
        Unit::PerSecond => format!("{}/s", grouped(value)),
        Unit::Milliseconds if value < 10.0 => format!("{value:.1} ms"),
        Unit::Milliseconds => format!("{} ms", grouped(value)),
        Unit::Seconds => format!("{value:.1} s"),
        Unit::Megabytes => format!("{value:.0} MB"),
        Unit::Percent => format!("{value:.1} %"),
        Unit::Number => format!("{value:.4}"),
    }
}

/// With a comma between thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests_of_the_table {
    use super::*;

    #[test]
    fn a_row_has_one_cell_for_each_and_ratios_to_the_peer() {
        let title = || Title::new("accepted", "batches of 64", Unit::PerSecond).bar("≥ 60,000/s");
        let mut report = Report::default();
        report.figure(Kind::Up, title(), 61_234.4);
        report.noted(Kind::Alertmanager, title(), 40_000.0, "in memory".to_owned());
        let text = report.markdown(&["date: today".to_owned()]);
        assert!(
            text.contains(
                "| accepted | batches of 64 | 61,234/s | – | 40,000/s (in memory) | 1.53 | – | ≥ 60,000/s |"
            ),
            "{text}"
        );
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [999.0, 1000.0, 1234567.0].map(grouped),
            ["999", "1,000", "1,234,567"]
        );
    }
}
