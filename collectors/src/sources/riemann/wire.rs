//! Riemann's messages on the wire: those of its fields that mean something here.

/// A message, in both directions.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Msg {
    /// Of an answer: whether the message before it was taken.
    #[prost(bool, optional, tag = "2")]
    pub(crate) ok: Option<bool>,
    /// Of an answer: why not.
    #[prost(string, optional, tag = "3")]
    pub(crate) error: Option<String>,
    /// What the first clients sent instead of events, with the same numbers for the same fields.
    #[prost(message, repeated, tag = "4")]
    pub(crate) states: Vec<Event>,
    #[prost(message, optional, tag = "5")]
    pub(crate) query: Option<Query>,
    #[prost(message, repeated, tag = "6")]
    pub(crate) events: Vec<Event>,
}

/// A question to Riemann's index.
#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Query {
    #[prost(string, optional, tag = "1")]
    pub(crate) string: Option<String>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Event {
    /// Seconds since 1970.
    #[prost(int64, optional, tag = "1")]
    pub(crate) time: Option<i64>,
    #[prost(string, optional, tag = "2")]
    pub(crate) state: Option<String>,
    #[prost(string, optional, tag = "3")]
    pub(crate) service: Option<String>,
    #[prost(string, optional, tag = "4")]
    pub(crate) host: Option<String>,
    #[prost(string, optional, tag = "5")]
    pub(crate) description: Option<String>,
    #[prost(string, repeated, tag = "7")]
    pub(crate) tags: Vec<String>,
    /// Seconds.
    #[prost(float, optional, tag = "8")]
    pub(crate) ttl: Option<f32>,
    #[prost(message, repeated, tag = "9")]
    pub(crate) attributes: Vec<Attribute>,
    #[prost(int64, optional, tag = "10")]
    pub(crate) time_micros: Option<i64>,
    #[prost(sint64, optional, tag = "13")]
    pub(crate) metric_sint64: Option<i64>,
    #[prost(double, optional, tag = "14")]
    pub(crate) metric_d: Option<f64>,
    #[prost(float, optional, tag = "15")]
    pub(crate) metric_f: Option<f32>,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Attribute {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(string, optional, tag = "2")]
    pub(crate) value: Option<String>,
}

impl Event {
    /// An attribute that is there and not empty.
    pub(crate) fn attribute(&self, key: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|attribute| attribute.key == key);
        found?.value.as_deref().filter(|value| !value.is_empty())
    }

    /// The measured value, of whichever type.
    pub(crate) fn metric(&self) -> Option<String> {
        let whole = self.metric_sint64.map(|value| value.to_string());
        let double = || self.metric_d.map(|value| value.to_string());
        let float = || self.metric_f.map(|value| value.to_string());
        whole.or_else(double).or_else(float)
    }
}
