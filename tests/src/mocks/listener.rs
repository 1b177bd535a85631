//! A listener of a provider that can have a bad day.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::recorded::Recorded;

/// How a provider behaves while it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Behaviour {
    /// As it should.
    #[default]
    Well,
    /// Too many requests: come back after so many seconds.
    TooMany(u32),
    /// It answers this status and does nothing.
    Failing(StatusCode),
}

/// A listener whose routes can misbehave, and which can be away.
#[derive(Debug)]
pub struct Listener {
    address: SocketAddr,
    routes: Router,
    state: Mood,
    serving: Option<(CancellationToken, JoinHandle<()>)>,
}

#[derive(Debug, Clone, Default)]
struct Mood {
    behaviour: Recorded<Behaviour>,
    refused: std::sync::Arc<AtomicU64>,
}

impl Listener {
    /// Serves the routes at a free port.
    pub async fn start(routes: Router) -> Result<Self> {
        let state = Mood::default();
        let routes = routes.layer(from_fn_with_state(state.clone(), behave));
        let address = crate::places::free_address()?;
        let mut listener = Self {
            address,
            routes,
            state,
            serving: None,
        };
        listener.come_back().await?;
        Ok(listener)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on it behaves like this.
    pub fn behave(&self, behaviour: Behaviour) {
        self.state.behaviour.change(|now| *now = behaviour);
    }

    /// How many requests met bad behaviour.
    pub fn refused(&self) -> u64 {
        self.state.refused.load(Ordering::Relaxed)
    }

    /// Closes the door: connections are refused. Requests in work are finished.
    pub async fn go_away(&mut self) {
        if let Some((stop, serving)) = self.serving.take() {
            stop.cancel();
            let _ = serving.await;
        }
    }

    /// Opens the door again, at the same address.
    pub async fn come_back(&mut self) -> Result<()> {
        let listener = TcpListener::bind(self.address)
            .await
            .context("listening as a provider")?;
        let stop = CancellationToken::new();
        let serving =
            axum::serve(listener, self.routes.clone()).with_graceful_shutdown(stop.clone().cancelled_owned());
        let task = tokio::spawn(async move {
            let _ = serving.await;
        });
        self.serving = Some((stop, task));
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Some((stop, serving)) = &self.serving {
            stop.cancel();
            serving.abort();
        }
    }
}

async fn behave(
    axum::extract::State(mood): axum::extract::State<Mood>,
    request: Request,
    next: Next,
) -> Response {
    let behaviour = mood.behaviour.read(|behaviour| *behaviour);
    if behaviour != Behaviour::Well {
        mood.refused.fetch_add(1, Ordering::Relaxed);
    }
    match behaviour {
        Behaviour::Well => next.run(request).await,
        Behaviour::Failing(status) => status.into_response(),
        Behaviour::TooMany(seconds) => {
            let after = HeaderValue::from(seconds);
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, after)]).into_response()
        }
    }
}
