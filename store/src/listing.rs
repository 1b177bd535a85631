//! Lists of alerts.

use domain::CompiledFilter;
use jiff::Timestamp;
use schemas::live::Filter;
use schemas::{Alert, Fingerprint, Status};

use crate::connection::{Session, Statement, list};
use crate::dialect::Dialect;
use crate::records::Shown;
use crate::values::{Reader, Value, count, name, status};
use crate::{AlertQuery, Page, StatusWanted, Store, StoreError, last_seen};

/// The most alerts whose documents are looked at for one page; what was found is then answered, with a cursor to go on.
const DOCUMENTS_MAX: usize = 20_000;
/// Documents that are read at once.
const DOCUMENTS_AT_ONCE: usize = 500;
/// Entries of the index that are first looked at for what meets the conditions on columns; each further time there are
/// more, until there is enough or the last time has come: some 130,000 in all.
const WINDOW_FIRST: usize = 2_000;
const WINDOW_GROWTH: usize = 4;
const WINDOW_LAST: usize = 128_000;

/// A place in the list: newest first, then by fingerprint, downwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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

    const fn index(self) -> &'static str {
        match self {
            Newest::Opened => "alerts_by_opening",
            Newest::Closed => "alerts_by_closing",
        }
    }
}

/// A part of a list, and where it ends.
struct Part {
    /// In order; nothing in place of an alert that cannot be read.
    rows: Vec<(Place, Option<Alert>)>,
    /// Up to where the list was looked at; `None` at its end.
    reached: Option<Place>,
}

impl Store {
    /// A page of alerts. A page may be shorter than asked, or even empty, and still have a next one: what is looked at for
    /// one page is bounded.
    pub async fn alerts(&self, query: &AlertQuery) -> Result<Page<Alert>, StoreError> {
        let filter = CompiledFilter::compile(&query.filter)
            .map_err(|error| StoreError::Invalid(format!("filter: {error}")))?;
        let mut place = query.cursor.as_deref().map(Place::parse).transpose()?;
        if query.limit == 0 {
            return Err(StoreError::Invalid("limit: must be at least 1".to_owned()));
        }
        let sieved = !query.filter.matchers.is_empty() || !query.filter.text.is_empty();
        let mut session = self.read("the list of alerts").await?;
        let mut found: Vec<Alert> = Vec::new();
        let (mut documents, mut window) = (0, WINDOW_FIRST);
        while documents < DOCUMENTS_MAX && window <= WINDOW_LAST {
            let wanted = query.limit.saturating_add(1) - found.len();
            let at_once = if sieved {
                DOCUMENTS_AT_ONCE
            } else {
                wanted.min(DOCUMENTS_AT_ONCE)
            };
            let part = self.part(&mut session, query, place, at_once, window).await?;
            documents += part.rows.len();
            if part.rows.len() < at_once {
                window *= WINDOW_GROWTH;
            }
            for (here, alert) in part.rows {
                if let Some(alert) = alert.filter(|alert| filter.matches(alert)) {
                    if found.len() == query.limit {
                        return Ok(page(found, place));
                    }
                    found.push(alert);
                }
                place = Some(here);
            }
            match part.reached {
                None => return Ok(page(found, None)),
                reached => place = reached,
            }
        }
        Ok(page(found, place))
    }

    /// The next alerts of the list that meet the conditions on columns, at most `at_once`, of a window of the index.
    async fn part(
        &self,
        session: &mut Session,
        query: &AlertQuery,
        after: Option<Place>,
        at_once: usize,
        window: usize,
    ) -> Result<Part, StoreError> {
        let newest = Newest::of(query.status);
        let statuses: &[Status] = match query.status {
            StatusWanted::Open => &[Status::Open],
            StatusWanted::Closed => &[Status::Closed],
            // Each by itself, so that each comes from the index in its order.
            StatusWanted::Any => &[Status::Open, Status::Closed],
        };
        let mut whole = Part {
            rows: Vec::new(),
            reached: None,
        };
        for status in statuses {
            let scan = Scan {
                status: *status,
                newest,
                filter: &query.filter,
                after,
            };
            let part = self.scan(session, &scan, at_once, window).await?;
            whole.rows.extend(part.rows);
            // What one of them was not looked at for is not known of the other either.
            whole.reached = whole.reached.max(part.reached);
        }
        whole.rows.sort_by(|(one, _), (other, _)| other.cmp(one));
        if let Some(reached) = whole.reached {
            whole.rows.retain(|(place, _)| *place >= reached);
        }
        Ok(whole)
    }

    async fn scan(
        &self,
        session: &mut Session,
        scan: &Scan<'_>,
        at_once: usize,
        window: usize,
    ) -> Result<Part, StoreError> {
        let edge = if scan.is_filtered() {
            scan.edge(session, window).await?
        } else {
            None
        };
        let (text, values) = scan.select(session.dialect(), edge, at_once);
        let mut rows = Vec::new();
        for row in session.fetch(Statement::once(text), values).await? {
            let reader = Reader {
                row: &row,
                what: session.what(),
            };
            let place = place(&reader)?;
            let shown = Shown::read(&reader, 2);
            let shown = self.unreadable().skip("alerts", place.fingerprint, shown)?;
            rows.push((place, shown.map(|shown| shown.alert)));
        }
        let last = rows.last().map(|(place, _)| *place);
        let reached = if rows.len() == at_once { last } else { edge };
        Ok(Part { rows, reached })
    }

    /// Open alerts in the order of their fingerprints, after the given one; for rebuilding the view. Fewer than asked for
    /// only at the end; alerts that cannot be read are left out.
    pub async fn open_alerts(
        &self,
        after: Option<Fingerprint>,
        limit: usize,
    ) -> Result<Vec<Alert>, StoreError> {
        let shown = self.open_documents(after, limit).await?;
        Ok(shown.into_iter().map(|shown| shown.alert).collect())
    }

    /// The same, each with the time until which what its source said holds, if there is one.
    pub async fn open_alerts_with_ends(
        &self,
        after: Option<Fingerprint>,
        limit: usize,
    ) -> Result<Vec<(Alert, Option<Timestamp>)>, StoreError> {
        let shown = self.open_documents(after, limit).await?;
        let with_end = |shown: Shown| (shown.alert, shown.expiry.map(|end| end.expires_at));
        Ok(shown.into_iter().map(with_end).collect())
    }

    async fn open_documents(
        &self,
        mut after: Option<Fingerprint>,
        limit: usize,
    ) -> Result<Vec<Shown>, StoreError> {
        let mut session = self.read("the open alerts").await?;
        // First which, then what: whatever else is looked at is not read whole.
        let select = format!(
            "SELECT alerts.fingerprint, alerts.document, {} FROM \
             (SELECT fingerprint FROM alerts {} WHERE status = 'open' AND fingerprint > ? \
             ORDER BY fingerprint LIMIT ?) AS wanted \
             JOIN alerts ON alerts.fingerprint = wanted.fingerprint {} ORDER BY alerts.fingerprint",
            last_seen::COLUMN,
            self.dialect().by_index("alerts_open"),
            last_seen::join(self.dialect())
        );
        let mut alerts = Vec::new();
        loop {
            let wanted = limit - alerts.len();
            let begin = after.map_or_else(String::new, |after| after.to_string());
            let values = vec![begin.into(), count(wanted)];
            let rows = session.fetch(Statement::kept(select.clone()), values).await?;
            for row in &rows {
                let reader = Reader {
                    row,
                    what: session.what(),
                };
                let fingerprint = reader.fingerprint(0)?;
                let shown = Shown::read(&reader, 1);
                let shown = self.unreadable().skip("alerts", fingerprint, shown)?;
                alerts.extend(shown);
                after = Some(fingerprint);
            }
            if rows.len() < wanted || alerts.len() == limit {
                return Ok(alerts);
            }
        }
    }
}

fn page(rows: Vec<Alert>, next: Option<Place>) -> Page<Alert> {
    Page {
        rows,
        next_cursor: next.map(Place::to_cursor),
    }
}

fn place(reader: &Reader<'_>) -> Result<Place, StoreError> {
    Ok(Place {
        at: reader.time(0)?,
        fingerprint: reader.fingerprint(1)?,
    })
}

/// A walk through the index of what is open, or of what is closed.
struct Scan<'a> {
    status: Status,
    newest: Newest,
    filter: &'a Filter,
    after: Option<Place>,
}

impl Scan<'_> {
    /// Whether there are conditions on columns.
    fn is_filtered(&self) -> bool {
        let Filter {
            environments,
            severities,
            states,
            ..
        } = self.filter;
        !(environments.is_empty() && severities.is_empty() && states.is_empty())
    }

    /// The place of the last of the next so many entries of the index, unless there are fewer.
    async fn edge(&self, session: &mut Session, window: usize) -> Result<Option<Place>, StoreError> {
        let (conditions, mut values) = self.place_conditions(None);
        let column = self.newest.column();
        let text = format!(
            "SELECT {column}, fingerprint FROM alerts {} WHERE {conditions} \
             ORDER BY {column} DESC, fingerprint DESC LIMIT 1 OFFSET ?",
            session.dialect().by_index(self.newest.index()),
        );
        values.push(count(window - 1));
        let rows = session.fetch(Statement::kept(text), values).await?;
        let what = session.what();
        rows.first().map(|row| place(&Reader { row, what })).transpose()
    }

    /// Finds in the index alone which alerts it is, and reads the documents of these.
    fn select(&self, dialect: Dialect, edge: Option<Place>, limit: usize) -> (String, Vec<Value>) {
        let (place, mut values) = self.place_conditions(edge);
        let (columns, further) = self.column_conditions();
        values.extend(further);
        values.push(count(limit));
        let column = self.newest.column();
        let text = format!(
            "SELECT found.place, found.fingerprint, alerts.document, {seen} FROM \
             (SELECT {column} AS place, fingerprint FROM alerts {index} WHERE {place}{columns} \
             ORDER BY {column} DESC, fingerprint DESC LIMIT ?) AS found \
             {join} alerts ON alerts.fingerprint = found.fingerprint {join_seen} \
             ORDER BY found.place DESC, found.fingerprint DESC",
            index = dialect.by_index(self.newest.index()),
            join = dialect.join_in_order(),
            seen = last_seen::COLUMN,
            join_seen = last_seen::join(dialect),
        );
        (text, values)
    }

    /// After the last place, and not beyond the edge; written so that the index is entered at the place.
    fn place_conditions(&self, edge: Option<Place>) -> (String, Vec<Value>) {
        let column = self.newest.column();
        // SQLite's index has no others, and the planner must see it.
        let mut conditions = format!("status = '{}' AND {column} IS NOT NULL", status(self.status));
        let mut values: Vec<Value> = Vec::new();
        for (place, beyond) in [(self.after, '<'), (edge, '>')] {
            if let Some(Place { at, fingerprint }) = place {
                let or_equal = if beyond == '<' { "<" } else { ">=" };
                let condition = format!(
                    " AND {column} {beyond}= ? AND ({column} {beyond} ? OR fingerprint {or_equal} ?)"
                );
                conditions.push_str(&condition);
                values.extend([at.into(), at.into(), fingerprint.into()]);
            }
        }
        (conditions, values)
    }

    fn column_conditions(&self) -> (String, Vec<Value>) {
        let filter = self.filter;
        let wanted: [(&str, Vec<Value>); 3] = [
            (
                "environment",
                filter.environments.iter().map(|text| name(text)).collect(),
            ),
            (
                "severity",
                filter
                    .severities
                    .iter()
                    .map(|severity| count(severity.number()))
                    .collect(),
            ),
            (
                "operator_state",
                filter.states.iter().map(|state| state.name().into()).collect(),
            ),
        ];
        let (mut conditions, mut values) = (String::new(), Vec::new());
        for (column, wanted) in wanted {
            if !wanted.is_empty() {
                conditions.push_str(&format!(" AND {column} IN ({})", list(wanted.len())));
                values.extend(wanted);
            }
        }
        (conditions, values)
    }
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
