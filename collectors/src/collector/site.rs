//! What endpoints and listeners ask of the site.

use std::sync::Arc;

use axum::body::Body;
use axum::http::Method;
use domain::{CompiledMapping, Site};
use sources::ready_made;

use super::Collector;
use crate::intake::error::IngestError;
use crate::intake::key::{self, ResolvedKey};
use crate::intake::request::{IncomingRequest, IngestRequest};

/// The methods by which the bodies of mappings come.
const METHODS_OF_MAPPINGS: &[Method] = &[Method::POST, Method::PUT, Method::GET];

impl Collector {
    /// The site, once it is known.
    ///
    /// # Errors
    ///
    /// [`IngestError::NotReady`] before that.
    pub(crate) fn site(&self) -> Result<Arc<Site>, IngestError> {
        let site = Arc::clone(&self.site.borrow());
        match site.revision {
            Some(_) => Ok(site),
            None => Err(IngestError::NotReady),
        }
    }

    /// A request to the source, the mapping of the site or the ready-made mapping of this name.
    ///
    /// # Errors
    ///
    /// Why there is none, with the unread body.
    pub(crate) fn request_to(
        &self,
        name: &str,
        incoming: IncomingRequest,
    ) -> Result<IngestRequest, (IngestError, Body)> {
        let source = sources::find(name);
        let allowed = source.map_or(METHODS_OF_MAPPINGS, |source| source.methods);
        if !allowed.contains(&incoming.method) {
            let method = incoming.method;
            return Err((IngestError::Method { method, allowed }, incoming.body));
        }
        if let Some(source) = source {
            return Ok(IngestRequest::new(source, incoming.with_query_as_body()));
        }
        match self.mapping(name) {
            Ok(Some(mapping)) => Ok(IngestRequest::mapped(mapping, incoming.with_query_as_body())),
            Ok(None) => Err((IngestError::unknown_source(name), incoming.body)),
            Err(error) => Err((error, incoming.body)),
        }
    }

    /// The mapping of this name: the site's own, or else the ready-made one.
    ///
    /// # Errors
    ///
    /// [`IngestError::NotReady`] before the site is known.
    pub(crate) fn mapping(&self, name: &str) -> Result<Option<Arc<CompiledMapping>>, IngestError> {
        let own = self.site()?.mappings.get(name).cloned();
        Ok(own.or_else(|| ready_made::find(name)))
    }

    /// The mapping that is the type of the integration of one of these keys, for endpoints with one address for all.
    pub(crate) fn mapping_of(&self, keys: &[String]) -> Option<Arc<CompiledMapping>> {
        let key = self.resolved(keys)?;
        self.mapping(&key.integration.source_type).ok()?
    }

    /// The type of the integration of one of these keys, for endpoints with addresses for several types.
    pub(crate) fn type_of(&self, keys: &[String]) -> Option<String> {
        let key = self.resolved(keys)?;
        Some(key.integration.source_type.clone())
    }

    /// The heartbeats that belong to the integration of one of these keys and are called by requests, not by alerts.
    pub(crate) fn heartbeats_of(&self, keys: &[String]) -> Vec<String> {
        let (Ok(site), Some(key)) = (self.site(), self.resolved(keys)) else {
            return Vec::new();
        };
        let own = site.heartbeats.values();
        let own = own.filter(|heartbeat| heartbeat.integration == key.integration.name);
        own.filter(|heartbeat| heartbeat.alert.is_none())
            .map(|heartbeat| heartbeat.name.clone())
            .collect()
    }

    fn resolved(&self, keys: &[String]) -> Option<ResolvedKey> {
        let site = self.site().ok()?;
        key::resolve(&site, keys, self.now()).ok()
    }
}
