use super::*;

fn object(text: &str) -> Object<'_, 'static> {
    body(text.as_bytes()).unwrap().object().unwrap()
}

#[test]
fn numbers_keep_all_their_digits_where_text_is_wanted() {
    let body = object(r#"{"id": 123456789012345678901234567890, "value": 1.10, "flag": true, "none": null}"#);
    assert_eq!(
        body.text("id").unwrap().as_deref(),
        Some("123456789012345678901234567890")
    );
    assert_eq!(body.text("value").unwrap().as_deref(), Some("1.10"));
    assert_eq!(body.text("flag").unwrap().as_deref(), Some("true"));
    assert_eq!(body.text("none").unwrap(), None);
}

#[test]
fn moments_are_seconds_milliseconds_or_text_and_zero_is_none() {
    let body = object(
        r#"{"s": 1788256800, "ms": "1788256800123", "text": "2026-09-01T10:00:00.093+0000", "zero": 0, "odd": "soon"}"#,
    );
    let mut warnings = Vec::new();
    let mut moment = |name| {
        body.moment(name, &mut warnings)
            .unwrap()
            .map(|time| time.to_string())
    };
    assert_eq!(moment("s").as_deref(), Some("2026-09-01T10:00:00Z"));
    assert_eq!(moment("ms").as_deref(), Some("2026-09-01T10:00:00.123Z"));
    assert_eq!(moment("text").as_deref(), Some("2026-09-01T10:00:00.093Z"));
    assert_eq!(
        (moment("zero"), moment("none"), moment("odd")),
        (None, None, None)
    );
    assert_eq!(warnings.len(), 1, "{warnings:?}");
}

#[test]
fn i10_times_are_numbers_of_any_unit_as_numbers_and_as_texts() {
    for (text, time) in [
        ("1788256800", "2026-09-01T10:00:00Z"),
        (" 1788256800.25 ", "2026-09-01T10:00:00.25Z"),
        ("1788256800123", "2026-09-01T10:00:00.123Z"),
        ("1788256800123.5", "2026-09-01T10:00:00.1235Z"),
        ("1788256800123456", "2026-09-01T10:00:00.123456Z"),
        ("1788256800123456789", "2026-09-01T10:00:00.123456789Z"),
        ("1.7882568e+09", "2026-09-01T10:00:00Z"),
        ("1.788256800123E12", "2026-09-01T10:00:00.123Z"),
        ("1.788256800123456789E18", "2026-09-01T10:00:00.123456789Z"),
    ] {
        let bodies = [format!(r#"{{"at": "{text}"}}"#), format!(r#"{{"at": {text}}}"#)];
        for body in &bodies {
            let (body, mut warnings) = (object(body), Vec::new());
            let by_time = body.time("at", &mut warnings).unwrap();
            let by_moment = body.moment("at", &mut warnings).unwrap();
            for read in [by_time, by_moment] {
                assert_eq!(read.map(|read| read.to_string()).as_deref(), Some(time), "{text}");
            }
            assert!(warnings.is_empty(), "{warnings:?}");
        }
        assert_eq!(time_of(text).map(|time| time.to_string()).as_deref(), Some(time));
    }
    for text in [
        "-5",
        "1e99",
        "1e",
        "1.2.3",
        "12345678901234567890123456",
        "1788256800s",
        "soon",
    ] {
        assert_eq!(time_of(text), None, "{text}");
    }
}

#[test]
fn the_last_of_two_members_of_one_name_counts() {
    assert_eq!(
        object(r#"{"a": "1", "a": "2"}"#).text("a").unwrap().as_deref(),
        Some("2")
    );
}

#[test]
fn what_looks_like_a_placeholder_is_one_only_where_a_user_writes_the_body() {
    let text = br#"{"inner": {"a": "{disk}", "b": "null", "c": ["{{x}}"]}}"#;
    for (root, meant) in [(body(text), false), (made(text), true)] {
        let root = root.unwrap().object().unwrap();
        let inner = root.member("inner").unwrap();
        assert_eq!(inner.set("a").unwrap().is_some(), meant);
        assert_eq!(inner.first(&["b"]).unwrap().is_some(), meant);
        assert_eq!(inner.needed(&["b"], "").is_ok(), meant);
        assert_eq!(inner.flat("c").is_some(), meant);
        assert_eq!(inner.place.to_string(), "inner");
    }
}

#[test]
fn half_a_character_at_a_cut_does_not_cost_the_text() {
    let body = object(r#"{"a": "fire \ud83d", "b": "fire \ud83d\udd25\n"}"#);
    let cut = body.text("a").unwrap().unwrap();
    assert!(cut.starts_with("fire \u{fffd}"), "{cut:?}");
    assert_eq!(body.text("b").unwrap().as_deref(), Some("fire 🔥\n"));
}

#[test]
fn nested_values_become_their_json_text_without_its_layout() {
    let body = object("{\"a\": {\"b\": [ 1.10,\n \"x \\\" y\", {\"c\" : null} ]}}");
    assert_eq!(body.texts("a").unwrap()["b"], r#"[1.10,"x \" y",{"c":null}]"#);
}

#[test]
fn deep_nesting_is_only_text() {
    let deep = format!(
        r#"{{"a": {{"b": {}1{}}}}}"#,
        "[".repeat(200_000),
        "]".repeat(200_000)
    );
    assert_eq!(object(&deep).texts("a").unwrap()["b"].len(), 400_001);
}
