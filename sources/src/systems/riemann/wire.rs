//! Riemann's messages in protobuf, with the fields that are used here:
//! <https://github.com/riemann/riemann-java-client>.

/// A message, in both directions.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Msg {
    /// Of an answer: whether the message before it was accepted.
    #[prost(bool, optional, tag = "2")]
    pub ok: Option<bool>,
    /// Of an answer: the reason why not.
    #[prost(string, optional, tag = "3")]
    pub error: Option<String>,
    /// The events of the first clients, whose fields have the same numbers.
    #[prost(message, repeated, tag = "4")]
    pub states: Vec<Event>,
    /// A query of the index.
    #[prost(message, optional, tag = "5")]
    pub query: Option<Query>,
    /// Events.
    #[prost(message, repeated, tag = "6")]
    pub events: Vec<Event>,
}

/// A query of Riemann's index.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Query {
    /// The text of the query.
    #[prost(string, optional, tag = "1")]
    pub string: Option<String>,
}

/// An event of a host or a service.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Event {
    /// Seconds since 1970.
    #[prost(int64, optional, tag = "1")]
    pub time: Option<i64>,
    /// The state, such as `ok` or `critical`.
    #[prost(string, optional, tag = "2")]
    pub state: Option<String>,
    /// The service, which is empty for a host itself.
    #[prost(string, optional, tag = "3")]
    pub service: Option<String>,
    /// The host.
    #[prost(string, optional, tag = "4")]
    pub host: Option<String>,
    /// A text for people.
    #[prost(string, optional, tag = "5")]
    pub description: Option<String>,
    /// Tags.
    #[prost(string, repeated, tag = "7")]
    pub tags: Vec<String>,
    /// How long the event is valid, in seconds.
    #[prost(float, optional, tag = "8")]
    pub ttl: Option<f32>,
    /// Attributes that clients add.
    #[prost(message, repeated, tag = "9")]
    pub attributes: Vec<Attribute>,
    /// Microseconds since 1970.
    #[prost(int64, optional, tag = "10")]
    pub time_micros: Option<i64>,
    /// The metric as an integer.
    #[prost(sint64, optional, tag = "13")]
    pub metric_sint64: Option<i64>,
    /// The metric in double precision.
    #[prost(double, optional, tag = "14")]
    pub metric_d: Option<f64>,
    /// The metric in single precision.
    #[prost(float, optional, tag = "15")]
    pub metric_f: Option<f32>,
}

/// An attribute.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Attribute {
    /// The name of the attribute.
    #[prost(string, tag = "1")]
    pub key: String,
    /// Its value.
    #[prost(string, optional, tag = "2")]
    pub value: Option<String>,
}

impl Event {
    /// The value of an attribute, unless it is empty.
    pub fn attribute(&self, key: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|attribute| attribute.key == key);
        found?.value.as_deref().filter(|value| !value.is_empty())
    }

    /// The metric, of any type.
    pub fn metric(&self) -> Option<String> {
        let whole = self.metric_sint64.map(|value| value.to_string());
        let double = || self.metric_d.map(|value| value.to_string());
        let float = || self.metric_f.map(|value| value.to_string());
        whole.or_else(double).or_else(float)
    }
}
