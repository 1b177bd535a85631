//! The front door of the deployment on one host (`deploy/nginx.conf`) leads to the collectors whatever they take.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use regex::Regex;

use super::*;

const CONFIGURATION: &str = include_str!("../../../deploy/nginx.conf");
const COLLECTORS: &str = "collectors:8080";

/// The configuration of nginx, as far as it says who serves a request.
#[derive(Default)]
struct FrontDoor {
    /// What is behind `location`, and the variable that it passes requests to.
    locations: Vec<(String, String)>,
    variables: BTreeMap<String, String>,
    /// Name to what is looked up, and its entries.
    maps: BTreeMap<String, (String, Vec<(String, String)>)>,
}

impl FrontDoor {
    fn read(text: &str) -> Self {
        let mut door = Self::default();
        let mut lines = text.lines().map(str::trim);
        while let Some(line) = lines.next() {
            let words = line.trim_end_matches(['{', ';']).trim();
            if let Some(location) = words.strip_prefix("location ") {
                let passes = |line: &str| Some(line.strip_prefix("proxy_pass http://")?.to_owned());
                let inside = lines.by_ref().take_while(|line| *line != "}");
                let passed = inside.filter_map(passes).last().unwrap_or_default();
                let passed = passed.trim_end_matches(';').to_owned();
                door.locations.push((location.to_owned(), passed));
            } else if let Some(set) = words.strip_prefix("set ") {
                let (name, value) = set.split_once(' ').unwrap();
                door.variables.insert(name.to_owned(), value.to_owned());
            } else if let Some(map) = words.strip_prefix("map ") {
                let (source, name) = map.rsplit_once(' ').unwrap();
                let inside = lines.by_ref().take_while(|line| *line != "}");
                let entries = inside.map(|line| {
                    let (key, value) = line.trim_end_matches(';').rsplit_once(' ').unwrap();
                    (key.trim_matches('"').to_owned(), value.to_owned())
                });
                let map = (source.trim_matches('"').to_owned(), entries.collect());
                door.maps.insert(name.to_owned(), map);
            }
        }
        door
    }

    /// Who serves a request: the location that names its path exactly, else the first pattern that fits, else `/`.
    fn serves(&self, method: &Method, path: &str) -> &str {
        let exact = |location: &str| location.strip_prefix("= ") == Some(path);
        let fits = |location: &str| {
            let pattern = location.strip_prefix("~ ");
            pattern.is_some_and(|pattern| Regex::new(pattern).unwrap().is_match(path))
        };
        let find = |wanted: &dyn Fn(&str) -> bool| {
            let mut locations = self.locations.iter();
            locations.find_map(|(location, passed)| wanted(location).then_some(passed))
        };
        let passed = find(&exact)
            .or_else(|| find(&fits))
            .or_else(|| find(&|location| location == "/"));
        let passed = passed.expect("every path has a location");
        match self.variables.get(passed) {
            Some(stage) => stage,
            None => self.mapped(passed, method, path),
        }
    }

    fn mapped(&self, variable: &str, method: &Method, path: &str) -> &str {
        let (source, entries) = &self.maps[variable];
        let text = source
            .replace("$request_method", method.as_str())
            .replace("$uri", path);
        let fits = |key: &str| match key.strip_prefix('~') {
            Some(pattern) => Regex::new(pattern).unwrap().is_match(&text),
            None => key == text,
        };
        let entry = entries
            .iter()
            .find(|(key, _)| key != "default" && fits(key))
            .or_else(|| entries.iter().find(|(key, _)| key == "default"));
        &entry.expect("a map has a default").1
    }
}

/// All addresses of the collectors, with something in place of what differs.
fn addresses(world: &World) -> BTreeSet<String> {
    // There is no other way to ask a router for its addresses.
    let shown = format!("{:?}", world.collectors.routes());
    let quoted = Regex::new(r#""(/[^"]*)""#).unwrap();
    let parameter = Regex::new(r"\{[^}]*\}").unwrap();
    let addresses = quoted.captures_iter(&shown).map(|found| found[1].to_owned());
    addresses
        // These two are for what has no address.
        .filter(|address| address != "/" && !address.contains("__private"))
        .map(|address| parameter.replace_all(&address, "api").into_owned())
        .collect()
}

#[tokio::test(start_paused = true)]
async fn whatever_the_collectors_take_is_led_to_them() {
    let world = World::new();
    let door = FrontDoor::read(CONFIGURATION);
    let addresses = addresses(&world);
    assert!(addresses.contains("/v2/heartbeats/api/ping"), "{addresses:?}");
    let mut taken = 0;
    for address in &addresses {
        for method in [
            Method::GET,
            Method::POST,
            Method::PUT,
            Method::PATCH,
            Method::DELETE,
            Method::OPTIONS,
        ] {
            let request = Request::builder().method(&method).uri(address);
            let request = request.body(Body::empty()).unwrap();
            let answer = world.routes.clone().call(request).await.unwrap();
            if answer.status() != StatusCode::METHOD_NOT_ALLOWED {
                taken += 1;
                for address in [address.clone(), format!("{address}/")] {
                    assert_eq!(door.serves(&method, &address), COLLECTORS, "{method} {address}");
                }
            }
        }
    }
    assert!(taken > addresses.len(), "{taken}");
}

#[test]
fn what_others_serve_at_the_same_addresses_is_led_to_them() {
    let door = FrontDoor::read(CONFIGURATION);
    for (method, path, stage) in [
        (Method::GET, "/v2/alerts", "api:8080"),
        (Method::GET, "/jsm/ops/integration/v2/alerts/a", "api:8080"),
        (Method::GET, "/api/v2/alerts", "api:8080"),
        (Method::GET, "/", "api:8080"),
        (Method::GET, "/ws", "bridge:8080"),
    ] {
        assert_eq!(door.serves(&method, path), stage, "{method} {path}");
    }
}
