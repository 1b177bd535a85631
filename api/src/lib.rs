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
use schemas::Principal;
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
mod journey;
mod openapi;
mod opsgenie;
pub mod rejected;
mod routes;
mod silences;
pub mod site;

pub use error::ApiError;

use routes::Routes;

/// How many revisions of the site are kept when the settings do not say: a revision holds only what it changed, so these
/// take some megabytes, and they reach back for months where silences are made by the hundred each day.
const SITE_REVISIONS: u32 = 10_000;

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
    /// How many revisions of the site are kept.
    site_revisions: u32,
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
            site_revisions: SITE_REVISIONS,
            changing: Arc::default(),
        }
    }

    /// Gives Alertmanager's clients this version, if there is one.
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

    /// Keeps this many revisions of the site, if a number is given.
    #[must_use]
    pub fn keeping_revisions(self, number: Option<u32>) -> Self {
        Self {
            site_revisions: number.unwrap_or(self.site_revisions),
            ..self
        }
    }

    /// `/api/v1`, and Alertmanager's `/api/v2`. The caller authenticates: each route asks for a permission of the request's
    /// principal, and answers 401 where there is none.
    pub fn routes(&self) -> Router {
        let alertmanager = alertmanager::routes();
        let opsgenie = opsgenie::table();
        let others = [alertmanager.operations(), opsgenie.operations()].concat();
        openapi::with_document(own_routes(), &others)
            .into_router()
            .layer(axum::middleware::map_response(error::in_json))
            // Has the errors of Alertmanager.
            .merge(alertmanager.into_router())
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

    /// Applies a site document as `PUT /api/v1/site` does, on behalf of a principal.
    pub async fn apply(
        &self,
        document: &str,
        dry_run: bool,
        by: &Principal,
    ) -> Result<site::Applied, ApiError> {
        site::apply(self, document, dry_run, by).await
    }

    /// Whether no site was ever applied.
    pub async fn is_new(&self) -> Result<bool, ApiError> {
        Ok(self.store.site().await?.revision == 0)
    }
}

/// The routes of `/api/v1`, but for their description.
fn own_routes() -> Routes {
    Routes::new()
        .merge(alerts::routes())
        .merge(journey::routes())
        .merge(actions::routes())
        .merge(rejected::routes())
        .merge(silences::routes())
        .merge(site::routes())
        .merge(integrations::routes())
        .merge(channels::routes())
}

#[cfg(test)]
mod tests;
