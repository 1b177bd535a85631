//! The control plane: what the console uses is public.
//!
//! Alerts are read from the database. An operator's action is a command on `alerts.commands`, answered with the
//! resulting state once the daemon has applied it. Configuration is written to the database and from there to the
//! `config` topic, which brings it to every stage.

use std::sync::Arc;

use axum::Router;
use chassis::secrets::SiteKey;
use chassis::settings::ALERTMANAGER_VERSION;
use domain::Site;
use pipeline::Context;
use store::Store;
use tokio::sync::watch;

mod actions;
mod alertmanager;
mod alerts;
mod answers;
mod channels;
mod console;
mod error;
mod following;
mod integrations;
mod openapi;
mod opsgenie;
pub mod rejected;
mod silences;
pub mod site;

pub use error::ApiError;

/// What the routes work with; cheap to clone.
#[derive(Clone)]
pub struct Api {
    context: Context,
    store: Store,
    key: SiteKey,
    answers: answers::Answers,
    publisher: site::Publisher,
    started_at: jiff::Timestamp,
    usage: integrations::Usage,
    alertmanager_version: Arc<str>,
    /// Held while this process changes single entries of the site, so that many changes at once wait for each other and do not fail.
    changing: Arc<tokio::sync::Mutex<()>>,
}

impl Api {
    /// Begins to follow the daemon's answers and the usage of keys, and to keep the `config` topic as the database says.
    pub fn start(context: &Context, store: Store, key: SiteKey) -> Self {
        Self {
            context: context.clone(),
            answers: answers::Answers::start(context),
            publisher: site::Publisher::start(context, store.clone()),
            started_at: context.clock.now(),
            usage: integrations::Usage::start(context),
            store,
            key,
            alertmanager_version: ALERTMANAGER_VERSION.into(),
            changing: Arc::default(),
        }
    }

    /// Tells Alertmanager's clients this version, if there is one.
    #[must_use]
    pub fn as_alertmanager(self, version: Option<&str>) -> Self {
        match version {
            Some(version) => Self {
                alertmanager_version: version.into(),
                ..self
            },
            None => self,
        }
    }

    /// `/api/v1`, and Alertmanager's `/api/v2`, without authentication; the caller guards it.
    pub fn routes(&self) -> Router {
        Router::new()
            .merge(alerts::routes())
            .merge(actions::routes())
            .merge(rejected::routes())
            .merge(silences::routes())
            .merge(site::routes())
            .merge(integrations::routes())
            .merge(channels::routes())
            .route("/api/v1/openapi.json", axum::routing::get(openapi::document))
            .layer(axum::middleware::map_response(error::in_json))
            // Has the errors of Alertmanager.
            .merge(alertmanager::routes())
            .with_state(Arc::new(self.clone()))
    }

    /// What Opsgenie's clients read and keep, at `/v2/alerts` and `/v2/heartbeats`; their keys are those of the site's
    /// integrations. Links have the scheme of `console_url`.
    pub fn opsgenie(&self, site: watch::Receiver<Arc<Site>>, console_url: &str) -> Router {
        opsgenie::routes(self.clone(), site, console_url)
    }

    /// The console's files at `/`.
    pub fn console() -> Router {
        console::routes()
    }

    /// Applies a site document as `PUT /api/v1/site` does.
    pub async fn apply(&self, document: &str, dry_run: bool) -> Result<site::Applied, ApiError> {
        site::apply(self, document, dry_run).await
    }

    /// Whether no site was ever applied.
    pub async fn is_new(&self) -> Result<bool, ApiError> {
        Ok(self.store.site().await?.revision == 0)
    }
}

#[cfg(test)]
mod tests;
