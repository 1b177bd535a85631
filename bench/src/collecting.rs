//! What collectors ask of memory for one alert: their routes in this process, on a log in memory, with every allocation
//! counted. HTTP itself is left out.

use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow, ensure};
use axum::Router;
use axum::body::Body;
use axum::http::Request;
use chassis::secrets::key_hash;
use chassis::settings::Settings;
use collectors::Collectors;
use domain::Site;
use pipeline::log::simulated::SimulatedLog;
use pipeline::{Clock, Context};
use schemas::config::ConfigEntry;
use serde_json::json;
use tokio::runtime;
use tokio::sync::watch;
use tower_service::Service;

use crate::bodies::distinct;
use crate::subject::{Audience, Ingest};

/// Larger bodies are worked on in another thread, where nothing is counted.
const LARGEST: usize = 128 * 1024;
const REQUESTS: usize = 50;
const KEY: &str = "bench";

/// Allocations for each alert of requests with so many; none for bodies that are too large to be counted.
pub(crate) async fn allocations(ingest: &Ingest, batch: usize) -> Result<Option<f64>> {
    let body = ingest.body(Audience::Console, &distinct(0, batch));
    if body.len() >= LARGEST {
        return Ok(None);
    }
    // A runtime of its own, whose only thread is the one that counts.
    let counting = std::thread::spawn(move || counted(&body));
    let counted = tokio::task::spawn_blocking(move || counting.join()).await?;
    let count = counted.map_err(|_| anyhow!("counting allocations has panicked"))??;
    Ok(Some(count as f64 / (REQUESTS * batch) as f64))
}

fn counted(body: &str) -> Result<u64> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let routes = runtime.block_on(async { routes() })?;
    let post = |count: usize| {
        runtime.block_on(async {
            for _ in 0..count {
                let address = format!("/monitoring-system/prometheus?integration_key={KEY}");
                let request = Request::post(address).body(Body::from(body.to_owned()))?;
                let Ok(answer) = routes.clone().call(request).await;
                ensure!(
                    answer.status().is_success(),
                    "collectors answer {}",
                    answer.status()
                );
            }
            Ok(())
        })
    };
    // The first ones make what all others use.
    post(5)?;
    let mut posted = Ok(());
    let counted = allocation_counter::measure(|| posted = post(REQUESTS));
    posted?;
    Ok(counted.count_total)
}

fn routes() -> Result<Router> {
    let clock = Clock::system();
    let context = Context::new(Arc::new(SimulatedLog::new(1)), clock);
    let integration = json!({
        "kind": "integration", "name": "bench", "type": "prometheus", "environment": "default",
        "scenario": "default", "key_hashes": [key_hash(KEY)],
    });
    let entry: ConfigEntry = serde_json::from_value(integration).context("an integration")?;
    let mut site = Site::default();
    site.apply(&entry.key(), Some(entry));
    site.revision = Some(1);
    let (_, site) = watch::channel(Arc::new(site));
    let settings = Settings::default();
    let collectors = Collectors::new(
        context,
        site,
        None,
        settings.alert_bounds,
        settings.body_memory_bytes(),
    );
    Ok(collectors.routes())
}
