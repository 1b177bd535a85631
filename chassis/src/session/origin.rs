//! Requests that a page of another site makes a browser send.

use axum::http::{HeaderMap, Method, header};
use url::Url;

use super::header_text;

/// Whether a browser sends this request for a page that is not ours, and it could change something or open a connection
/// that reads. Programs that are no browser send neither header and are not affected; a page of the same *site* (another
/// port or subdomain) is not ours either.
///
/// <https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Sec-Fetch-Site>,
/// <https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html>
pub(super) fn is_cross_site(method: &Method, headers: &HeaderMap, console_url: &str) -> bool {
    let upgrade = headers.contains_key(header::UPGRADE);
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) && !upgrade {
        return false;
    }
    // Several headers of a name are no browser's; what cannot be read is not trusted.
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let foreign_origin = origins.any(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        !is_own(origin, header_text(headers, header::HOST), console_url)
    });
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let foreign_site = sites.any(|site| !matches!(site.as_bytes(), b"same-origin" | b"none"));
    foreign_origin || foreign_site
}

/// Whether an origin is the host that is asked, or the console's own address where a proxy names another host.
fn is_own(origin: &str, host: Option<&str>, console_url: &str) -> bool {
    let Ok(origin) = Url::parse(origin) else {
        return false;
    };
    let same_host = host
        .and_then(|host| Url::parse(&format!("{}://{host}", origin.scheme())).ok())
        .is_some_and(|asked| asked.host() == origin.host() && asked.port() == origin.port());
    let same_console = Url::parse(console_url).is_ok_and(|console| console.origin() == origin.origin());
    matches!(origin.scheme(), "http" | "https") && (same_host || same_console)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    const CONSOLE: &str = "https://reveille.example.org/";

    fn cross_site(method: &Method, headers: &[(&str, &str)]) -> bool {
        let headers = headers.iter().map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_str(value).unwrap())
        });
        is_cross_site(method, &headers.collect(), CONSOLE)
    }

    #[test]
    fn s3_what_another_page_sends_is_known_by_its_origin_or_its_site() {
        for headers in [
            &[("host", "127.0.0.1:8080"), ("origin", "https://evil.example")][..],
            &[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:9000")],
            &[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1")],
            &[("host", "127.0.0.1:8080"), ("origin", "null")],
            &[
                ("host", "127.0.0.1:8080"),
                ("origin", "http://127.0.0.1:8080.evil.example"),
            ],
            &[("host", "127.0.0.1:8080"), ("origin", "file://127.0.0.1:8080")],
            &[("host", "ops.example"), ("origin", "https://a.ops.example")],
            &[("host", "127.0.0.1:8080"), ("sec-fetch-site", "cross-site")],
            &[("host", "127.0.0.1:8080"), ("sec-fetch-site", "same-site")],
            &[
                ("host", "a"),
                ("origin", "http://a"),
                ("sec-fetch-site", "cross-site"),
            ],
            &[("origin", "http://a")],
        ] {
            for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
                assert!(cross_site(&method, headers), "{method} {headers:?}");
            }
            assert!(!cross_site(&Method::GET, headers), "{headers:?}");
        }
    }

    #[test]
    fn s3_a_websocket_of_another_page_is_refused_as_well() {
        let upgrade = ("upgrade", "websocket");
        let foreign = ("origin", "https://evil.example");
        assert!(cross_site(&Method::GET, &[("host", "a"), upgrade, foreign]));
        assert!(!cross_site(
            &Method::GET,
            &[("host", "a"), upgrade, ("origin", "http://a")]
        ));
        assert!(!cross_site(&Method::GET, &[("host", "a"), upgrade]));
    }

    #[test]
    fn s3_the_console_and_programs_are_let_through() {
        for headers in [
            &[("host", "127.0.0.1:8080")][..],
            &[("host", "127.0.0.1:8080"), ("origin", "http://127.0.0.1:8080")],
            &[("host", "LOCALHOST:8080"), ("origin", "http://localhost:8080")],
            &[("host", "[::1]:8080"), ("origin", "http://[::1]:8080")],
            &[("host", "ops.example"), ("origin", "https://ops.example")],
            &[
                ("host", "10.0.0.1:8080"),
                ("origin", "https://reveille.example.org"),
            ],
            &[
                ("host", "a"),
                ("origin", "http://a"),
                ("sec-fetch-site", "same-origin"),
            ],
            &[("host", "a"), ("sec-fetch-site", "none")],
        ] {
            assert!(!cross_site(&Method::POST, headers), "{headers:?}");
        }
    }
}
