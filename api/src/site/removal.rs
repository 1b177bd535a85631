//! Environments and integrations of which alerts are open are not removed: the alerts would stay open in a place that no
//! longer exists, and their sources could not end them, since their key is gone too.

use schemas::live::Filter;
use store::{AlertQuery, StatusWanted, Store};

use super::kinds::Kind;
use super::{ChangeKind, SiteChange};
use crate::ApiError;

/// Checks every removal among the changes.
///
/// # Errors
///
/// [`ApiError::Conflict`] names the entry and one of its open alerts.
pub(super) async fn check(store: &Store, changes: &[SiteChange]) -> Result<(), ApiError> {
    let removed = changes
        .iter()
        .filter(|change| change.change == ChangeKind::Remove);
    for change in removed {
        let Some((kind, name)) = change.key.split_once('/') else {
            continue;
        };
        if !Kind::named(kind).is_some_and(|kind| kind.holds_alerts) {
            continue;
        }
        if let Some(alert) = an_open_alert(store, kind, name).await? {
            return Err(ApiError::Conflict(format!(
                "the {kind} {name:?} cannot be removed while alerts of it are open, such as {alert:?}: keep it, or let \
                 its sources end them or resolve them first"
            )));
        }
    }
    Ok(())
}

/// The name of an open alert of this environment or integration.
async fn an_open_alert(store: &Store, kind: &str, name: &str) -> Result<Option<String>, ApiError> {
    let mut query = AlertQuery {
        status: StatusWanted::Open,
        filter: Filter {
            matchers: vec![format!("{kind}={}", serde_json::Value::from(name))],
            ..Filter::default()
        },
        limit: 1,
        cursor: None,
    };
    loop {
        // A page may be empty and still have a next one.
        let page = store.alerts(&query).await?;
        if let Some(alert) = page.rows.into_iter().next() {
            return Ok(Some(alert.name));
        }
        match page.next_cursor {
            None => return Ok(None),
            next => query.cursor = next,
        }
    }
}
