//! What the registry knows of a source.

use http::{HeaderMap, Method};

use crate::error::SourceError;
use crate::parsed::ParsedBody;

/// Parses a body. A pure function: the same headers and body give the same result.
pub type ParseBody = fn(&HeaderMap, &[u8]) -> Result<ParsedBody, SourceError>;

/// A monitoring system whose bodies can be parsed.
pub struct Source {
    /// Its name: the last segment of its address, and the type of an integration.
    pub name: &'static str,
    /// What it is, in a few words.
    pub title: &'static str,
    /// Its page, from the root of the repository. Its examples are in `sources/examples/<name>`.
    pub documentation: &'static str,
    /// The methods of HTTP by which its senders post. The query of a GET is parsed as the body, as a form.
    pub methods: &'static [Method],
    /// Parses one body.
    pub parse: ParseBody,
}

/// Nearly all senders post.
pub(crate) const POST: &[Method] = &[Method::POST];
pub(crate) const POST_AND_PUT: &[Method] = &[Method::POST, Method::PUT];
pub(crate) const POST_AND_GET: &[Method] = &[Method::POST, Method::GET];
pub(crate) const POST_PUT_AND_GET: &[Method] = &[Method::POST, Method::PUT, Method::GET];
