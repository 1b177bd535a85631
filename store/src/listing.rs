//! Lists of alerts.

use domain::CompiledFilter;
use jiff::Timestamp;
use schemas::live::Filter;
use schemas::{Alert, Fingerprint, Status};

use crate::connection::{Session, Statement, list};
use crate::records::Shown;
use crate::values::{Reader, Value, count, name, status};
use crate::{AlertQuery, Page, StatusWanted, Store, StoreError};

/// The most alerts that are looked at for one page; what was found is then answered, with a cursor to go on.
const SCANNED_MAX: usize = 20_000;
/// Alerts that are read at once when not each of them is wanted.
const SCANNED_AT_ONCE: usize = 500;

/// A place in the list: newest first, then by fingerprint, downwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    at: Timestamp,
    fingerprint: Fingerprint,
}

/// What is newest: what has closed last where all have, and else what has opened last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Newest {
    Opened,
    Closed,
}

impl Newest {
    const fn of(wanted: StatusWanted) -> Self {
        match wanted {
            StatusWanted::Open | StatusWanted::Any => Newest::Opened,
            StatusWanted::Closed => Newest::Closed,
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Newest::Opened => "opened_at",
            Newest::Closed => "closed_at",
        }
    }

    fn place(self, alert: &Alert) -> Place {
        let closed_at = alert.closed_at.filter(|_| self == Newest::Closed);
        Place {
            at: closed_at.unwrap_or(alert.opened_at),
            fingerprint: alert.fingerprint,
        }
    }
}

impl Store {
    /// A page of alerts. With matchers or a text in the filter a page may be shorter than asked, or even empty, and
    /// still have a next one.
    pub async fn alerts(&self, query: &AlertQuery) -> Result<Page<Alert>, StoreError> {
        let filter = CompiledFilter::compile(&query.filter)
            .map_err(|error| StoreError::Invalid(format!("filter: {error}")))?;
        let mut place = query.cursor.as_deref().map(Place::parse).transpose()?;
        if query.limit == 0 {
            return Err(StoreError::Invalid("limit: must be at least 1".to_owned()));
        }
        let sieved = !query.filter.matchers.is_empty() || !query.filter.text.is_empty();
        let at_once = if sieved {
            SCANNED_AT_ONCE
        } else {
            query.limit.saturating_add(1).min(SCANNED_AT_ONCE)
        };
        let mut session = self.read("the list of alerts").await?;
        let mut found: Vec<Alert> = Vec::new();
        let mut scanned = 0;
        while scanned < SCANNED_MAX {
            let alerts = scan(&mut session, query, place, at_once).await?;
            let last = alerts.len() < at_once;
            scanned += alerts.len();
            for alert in alerts {
                let here = Newest::of(query.status).place(&alert);
                if filter.matches(&alert) {
                    if found.len() == query.limit {
                        return Ok(page(found, place));
                    }
                    found.push(alert);
                }
                place = Some(here);
            }
            if last {
                return Ok(page(found, None));
            }
        }
        Ok(page(found, place))
    }

    /// Open alerts in the order of their fingerprints, after the given one; for rebuilding the view.
    pub async fn open_alerts(
        &self,
        after: Option<Fingerprint>,
        limit: usize,
    ) -> Result<Vec<Alert>, StoreError> {
        let mut session = self.read("the open alerts").await?;
        // First which, then what: whatever else is looked at is not read whole.
        let select = format!(
            "SELECT alerts.document FROM \
             (SELECT fingerprint FROM alerts {} WHERE status = 'open' AND fingerprint > ? \
             ORDER BY fingerprint LIMIT ?) AS wanted \
             JOIN alerts ON alerts.fingerprint = wanted.fingerprint ORDER BY alerts.fingerprint",
            self.dialect().open_alerts()
        );
        let after = after.map_or_else(String::new, |fingerprint| fingerprint.to_string());
        let rows = session
            .fetch(Statement::kept(select), vec![after.into(), count(limit)])
            .await?;
        rows.iter()
            .map(|row| {
                Ok(Reader {
                    row,
                    what: session.what(),
                }
                .document::<Shown>(0)?
                .alert)
            })
            .collect()
    }
}

fn page(rows: Vec<Alert>, next: Option<Place>) -> Page<Alert> {
    Page {
        rows,
        next_cursor: next.map(Place::to_cursor),
    }
}

async fn scan(
    session: &mut Session,
    query: &AlertQuery,
    after: Option<Place>,
    limit: usize,
) -> Result<Vec<Alert>, StoreError> {
    let (text, values) = select(query, after, limit);
    let rows = session.fetch(Statement::once(text), values).await?;
    rows.iter()
        .map(|row| {
            Ok(Reader {
                row,
                what: session.what(),
            }
            .document::<Shown>(0)?
            .alert)
        })
        .collect()
}

fn select(query: &AlertQuery, after: Option<Place>, limit: usize) -> (String, Vec<Value>) {
    let newest = Newest::of(query.status);
    let order = format!("ORDER BY {} DESC, fingerprint DESC LIMIT ?", newest.column());
    match query.status {
        StatusWanted::Open | StatusWanted::Closed => {
            let wanted = if query.status == StatusWanted::Open {
                Status::Open
            } else {
                Status::Closed
            };
            let (conditions, mut values) = conditions(wanted, newest, &query.filter, after);
            values.push(count(limit));
            (
                format!("SELECT document FROM alerts WHERE {conditions} {order}"),
                values,
            )
        }
        // The newest of each, then the newest of both: so each comes from the index in its order.
        StatusWanted::Any => {
            let (open, mut values) = conditions(Status::Open, newest, &query.filter, after);
            values.push(count(limit));
            let (closed, further) = conditions(Status::Closed, newest, &query.filter, after);
            values.extend(further);
            values.extend([count(limit), count(limit)]);
            let first = |conditions| {
                format!("SELECT document, opened_at, fingerprint FROM alerts WHERE {conditions} {order}")
            };
            let (open, closed) = (first(open), first(closed));
            let both = format!(
                "SELECT * FROM ({open}) AS opened UNION ALL SELECT * FROM ({closed}) AS ended {order}"
            );
            (both, values)
        }
    }
}

fn conditions(wanted: Status, newest: Newest, filter: &Filter, after: Option<Place>) -> (String, Vec<Value>) {
    let mut conditions = vec!["status = ?".to_owned()];
    if newest == Newest::Closed {
        // What the index knows.
        conditions.push("closed_at IS NOT NULL".to_owned());
    }
    let mut values: Vec<Value> = vec![status(wanted).into()];
    let mut one_of = |column: &str, wanted: Vec<Value>| {
        if !wanted.is_empty() {
            conditions.push(format!("{column} IN ({})", list(wanted.len())));
            values.extend(wanted);
        }
    };
    one_of(
        "environment",
        filter
            .environments
            .iter()
            .map(|environment| name(environment))
            .collect(),
    );
    one_of(
        "severity",
        filter
            .severities
            .iter()
            .map(|severity| count(severity.number()))
            .collect(),
    );
    one_of(
        "operator_state",
        filter.states.iter().map(|state| state.name().into()).collect(),
    );
    if let Some(Place { at, fingerprint }) = after {
        // Written so that the index is entered at the place.
        let column = newest.column();
        conditions.push(format!("{column} <= ? AND ({column} < ? OR fingerprint < ?)"));
        values.extend([at.into(), at.into(), fingerprint.into()]);
    }
    (conditions.join(" AND "), values)
}

impl Place {
    fn to_cursor(self) -> String {
        format!("{}.{}", self.at.as_microsecond(), self.fingerprint)
    }

    fn parse(cursor: &str) -> Result<Self, StoreError> {
        let parse = || {
            let (at, fingerprint) = cursor.split_once('.')?;
            let at = Timestamp::from_microsecond(at.parse().ok()?).ok()?;
            Some(Self {
                at,
                fingerprint: fingerprint.parse().ok()?,
            })
        };
        parse().ok_or_else(|| {
            let remedy = "use the next_cursor of the page before, or leave it out to begin anew";
            StoreError::Invalid(format!("cursor: {cursor:?} is not understood: {remedy}"))
        })
    }
}
