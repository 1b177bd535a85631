//! How the texts begin that explain a state.

/// How explanations begin that stand behind a state.
pub(in crate::text::state_words) const REASONS: [&str; 52] = [
    "due",
    "because",
    "after",
    "since",
    "reason",
    "timeout",
    "timed",
    "connect",
    "connection",
    "request",
    "getaddrinfo",
    "http",
    "https",
    "status",
    "code",
    "success",
    "socket",
    "read",
    "ssl",
    "tls",
    "certificate",
    "dns",
    "econnrefused",
    "etimedout",
    "econnreset",
    "enotfound",
    "no",
    "could",
    "cannot",
    "can't",
    "unable",
    "failed",
    "invalid",
    "unexpected",
    "expected",
    "bad",
    "gateway",
    "internal",
    "service",
    "too",
    "response",
    "responded",
    "keyword",
    "packet",
    "ping",
    "with",
    "by",
    "downtime",
    "latency",
    "slow",
    "duration",
    "lasted",
];

/// How the errors begin that stand behind a separator: `[DOWN] shop - Connection refused`. Each is one word, or one and what
/// follows it; `#` is a number.
pub(in crate::text::state_words) const ERRORS: [(&str, &str); 22] = [
    ("timeout", ""),
    ("timed", "out"),
    ("econnrefused", ""),
    ("econnreset", ""),
    ("etimedout", ""),
    ("enotfound", ""),
    ("getaddrinfo", ""),
    ("connect", "econnrefused"),
    ("connect", "etimedout"),
    ("connection", "refused"),
    ("connection", "reset"),
    ("connection", "timed"),
    ("connection", "timeout"),
    ("connection", "closed"),
    ("request", "timed"),
    ("request", "timeout"),
    ("request", "failed"),
    ("http", "#"),
    ("status", "#"),
    ("status", "code"),
    ("code", "#"),
    ("#", "ok"),
];

/// The first words of the phrases that stand behind the status codes of HTTP: `503 Service Unavailable`.
pub(in crate::text::state_words) const HTTP_PHRASES: [&str; 22] = [
    "ok",
    "created",
    "accepted",
    "no",
    "moved",
    "found",
    "see",
    "temporary",
    "permanent",
    "bad",
    "unauthorized",
    "forbidden",
    "not",
    "method",
    "request",
    "conflict",
    "gone",
    "too",
    "internal",
    "service",
    "gateway",
    "unknown",
];

/// What stands in front of the time that an answer took: `latency 120ms`.
pub(in crate::text::state_words) const TIMES: [&str; 5] = ["latency", "took", "rtt", "time", "in"];

/// Whether a number is a status code of HTTP, by <https://www.iana.org/assignments/http-status-codes>, or one of those that nginx
/// and Cloudflare have beside them, or the zero of clients without an answer. Numbers of ports, such as 443, are not.
pub(in crate::text::state_words) fn is_http_status(word: &str) -> bool {
    matches!(
        word.parse::<u16>(),
        Ok(
            0
            | 100..=103
            | 200..=208
            | 226
            | 300..=308
            | 400..=418
            | 421..=426
            | 428
            | 429
            | 431
            | 451
            | 499..=508
            | 510
            | 511
            | 520..=530,
        )
    )
}
