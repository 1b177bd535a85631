//! The HTTP client for URLs that a site configures: all channels that call such URLs share its rules.
//!
//! It connects to public addresses only, unless the operator allows private ones; it uses no proxy, which would connect to
//! addresses that are not checked here; it follows no redirects; it has time limits; and its errors do not show URLs, which
//! may hold secrets.

use std::sync::Arc;
use std::time::Duration;

use pipeline::Clock;
use reqwest::{Client, RequestBuilder, Url};

use super::addresses::{PublicOnly, check_url, not_public};
use super::http::{Reply, no_answer};
use crate::sender::SendResult;

/// The time limit of a request, from its beginning to the head of the response.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The time limit of the connection and its TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The client; cheap to clone.
#[derive(Clone)]
pub(super) struct GuardedClient {
    client: Client,
    allow_private: bool,
    clock: Clock,
}

/// Why there is no response.
#[derive(Debug)]
pub(super) enum NoReply {
    /// The name of the host leads to an address that is not public.
    NotPublic(String),
    /// The request failed, or was not answered in time.
    Failed(SendResult),
}

impl GuardedClient {
    /// A client that connects to private, loopback and link-local addresses only if `allow_private`.
    ///
    /// # Errors
    ///
    /// When the machine has no certificates.
    pub(super) fn new(allow_private: bool, clock: Clock) -> Result<Self, reqwest::Error> {
        let mut builder = Client::builder()
            .timeout(TIMEOUT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("reveille/", env!("CARGO_PKG_VERSION")));
        if !allow_private {
            builder = builder.dns_resolver(Arc::new(PublicOnly));
        }
        Ok(Self {
            client: builder.build()?,
            allow_private,
            clock,
        })
    }

    /// The URL of a configured text; errors begin with `name`.
    ///
    /// # Errors
    ///
    /// When it is not a URL of HTTP, or names an address that is not public.
    pub(super) fn url(&self, name: &str, text: &str) -> Result<Url, String> {
        let url: Url = text
            .parse()
            .map_err(|error| format!("{name} is not a URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(format!("{name} begins with {}://: use https://", url.scheme()));
        }
        if !self.allow_private {
            check_url(&url).map_err(|error| error.to_string())?;
        }
        Ok(url)
    }

    /// A request to a URL of [`Self::url`].
    pub(super) fn post(&self, url: Url) -> RequestBuilder {
        self.client.post(url)
    }

    /// Sends a request and reads the response.
    ///
    /// # Errors
    ///
    /// When there is no response.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Reply, NoReply> {
        match request.send().await {
            Ok(response) => Ok(Reply::read(response, self.clock.now()).await),
            Err(error) => Err(match not_public(&error) {
                Some(error) => NoReply::NotPublic(error.to_string()),
                None => NoReply::Failed(no_answer(&error)),
            }),
        }
    }
}
