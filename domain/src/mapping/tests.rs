use serde_json::json;

use super::*;
use schemas::config::MappedAlert;

fn text(text: &str) -> String {
    text.to_owned()
}

/// A mapping of a backup tool.
fn backups() -> Mapping {
    Mapping {
        name: text("backups"),
        each: Some(text("body.jobs")),
        when: Some(text("item.kind != 'test'")),
        alert: MappedAlert {
            identity: vec![text("item.host"), text("item.id")],
            name: text("'backup ' + item.job"),
            status: text("item.state"),
            severity: Some(text("item.?level")),
            object: Some(text("item.host")),
            service: Some(text("body.site.name")),
            output: Some(text("item.messages")),
            labels_from: Some(text("item.tags")),
            labels: [(text("team"), text("has(item.team) ? item.team : 'storage'"))].into(),
            annotations: [(text("impact"), text("item.?impact"))].into(),
            links: [(text("Log"), text("item.log"))].into(),
            occurred_at: Some(text("item.finished")),
            ..MappedAlert::default()
        },
        states: [
            (text("failed"), EventStatus::Firing),
            (text("done"), EventStatus::Resolved),
        ]
        .into(),
        severities: [(text("1"), Severity::Urgent)].into(),
    }
}

fn body() -> Value {
    json!({
        "site": {"name": "north"},
        "jobs": [
            {"kind": "job", "host": "db-1", "id": 7, "job": "nightly", "state": "FAILED", "level": 1,
             "messages": ["disk full", "gave up"], "tags": {"tier": 3, "path": {"a": [1, null]}, "none": null},
             "log": "https://example.org/7", "impact": "no way back", "finished": 1788256800},
            {"kind": "test"},
            {"kind": "job", "host": "db-2", "id": "8", "job": "weekly", "state": "done", "team": "web"},
        ],
    })
}

fn read(mapping: Mapping, body: &Value) -> Result<MappedBody, String> {
    let mapping = CompiledMapping::compile(mapping).expect("a mapping");
    mapping.read(body, None).map_err(|error| error.to_string())
}

#[test]
fn what_is_published_can_name_its_topic() {
    let mapping = Mapping {
        name: "presence".to_owned(),
        alert: MappedAlert {
            identity: vec!["topic".to_owned()],
            name: "topic.split('/')[1] + ' is away'".to_owned(),
            status: "body".to_owned(),
            ..MappedAlert::default()
        },
        states: [("offline".to_owned(), EventStatus::Firing)].into(),
        ..Mapping::default()
    };
    let mapping = CompiledMapping::compile(mapping).expect("a mapping");
    let read = mapping
        .read(&json!("Offline"), Some("tele/boiler/LWT"))
        .expect("an alert");
    assert_eq!(read.alerts[0].name, "boiler is away");
    assert_eq!(read.alerts[0].identity, ["tele/boiler/LWT"]);
    let posted = mapping
        .read(&json!("Offline"), None)
        .map_err(|error| error.to_string());
    assert!(
        posted
            .as_ref()
            .is_err_and(|error| error.starts_with("alert.identity[0] is missing")),
        "{posted:?}"
    );
}

#[test]
fn a_list_becomes_alerts_as_the_expressions_say() {
    let read = read(backups(), &body()).expect("alerts");
    assert_eq!((read.alerts.len(), read.left_out), (2, 1));
    let first = &read.alerts[0];
    assert_eq!(first.identity, ["db-1", "7"]);
    assert_eq!(first.name, "backup nightly");
    assert_eq!(first.status, EventStatus::Firing);
    assert_eq!(first.severity, Some(Ok(Severity::Urgent)));
    assert_eq!(first.service.as_deref(), Some("north"));
    assert_eq!(first.output.as_deref(), Some("disk full, gave up"));
    let labels: Vec<_> = first
        .labels
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    assert_eq!(labels, [r#"path={"a":[1,null]}"#, "team=storage", "tier=3"]);
    assert_eq!(first.annotations["impact"], "no way back");
    assert_eq!(first.links["Log"], "https://example.org/7");
    assert_eq!(first.occurred_at.as_deref(), Some("1788256800"));
    let second = &read.alerts[1];
    assert_eq!(
        (second.status, second.severity.clone()),
        (EventStatus::Resolved, None)
    );
    assert_eq!(
        (second.labels["team"].as_str(), second.output.clone()),
        ("web", None)
    );
    assert!(second.annotations.is_empty());
    assert!(second.links.is_empty());
}

#[test]
fn without_a_list_the_body_is_the_alert() {
    let mapping = Mapping {
        name: text("door"),
        alert: MappedAlert {
            identity: vec![text("body.id")],
            name: text("item.what"),
            status: text("item.open ? 'firing' : 'resolved'"),
            severity: Some(text("item.how")),
            ..MappedAlert::default()
        },
        ..Mapping::default()
    };
    let read = read(
        mapping,
        &json!({"id": "d1", "what": "door", "open": true, "how": "page"}),
    )
    .expect("alerts");
    assert_eq!(read.alerts[0].identity, ["d1"]);
    assert_eq!(read.alerts[0].status, EventStatus::Firing);
    assert_eq!(
        read.alerts[0].severity,
        Some(Err(text("page"))),
        "a word for whoever knows words"
    );
}

#[test]
fn an_unknown_state_is_never_guessed() {
    let mut body = body();
    body["jobs"][2]["state"] = json!("paused");
    assert_eq!(
        read(backups(), &body).unwrap_err(),
        "alert.status of item 2 is \"paused\"; say in `states` of mapping \"backups\" what that means"
    );
}

#[test]
fn what_is_missing_or_of_another_kind_is_named_with_its_place() {
    let refused = |change: fn(&mut Value)| {
        let mut body = body();
        change(&mut body);
        let error = read(backups(), &body).unwrap_err();
        assert!(error.contains("mapping \"backups\""), "{error}");
        error.split(';').next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        refused(|body| body["jobs"][0]["id"] = Value::Null),
        "alert.identity[1] of item 0 is missing: there is nothing at `item.id`"
    );
    assert_eq!(
        refused(|body| body["jobs"][0]["host"] = json!("")),
        "alert.identity[0] of item 0 is missing: there is nothing at `item.host`"
    );
    assert_eq!(
        refused(|body| body["jobs"][0]["id"] = json!(1e300)),
        "alert.identity[1] of item 0 is a number with more digits than can be told apart"
    );
    assert_eq!(refused(|body| body["jobs"] = json!({})), "each is not a list");
    assert_eq!(
        refused(|body| *body = json!([])),
        "each cannot be told by `body.jobs`: found no matching overload for '_._' applied to '(list, string)'"
    );
    assert_eq!(
        refused(|body| body["jobs"][0]["tags"] = json!("x")),
        "alert.labels_from of item 0 is not an object"
    );
    assert!(
        refused(|body| body["jobs"][0]["job"] = json!(7)).starts_with("alert.name of item 0 cannot be told")
    );
}

#[test]
fn mistakes_in_expressions_are_named_before_any_body_comes() {
    let refused = |change: fn(&mut Mapping)| {
        let mut mapping = backups();
        change(&mut mapping);
        CompiledMapping::compile(mapping)
            .expect_err("a mistake")
            .to_string()
    };
    assert!(refused(|mapping| mapping.each = Some(text("body."))).starts_with("each: line 1, column 6"));
    assert_eq!(
        refused(|mapping| mapping.alert.name = text("false ? itm.x : item.x")),
        "alert.name: line 1, column 9: there is no \"itm\": an expression can name body, item and topic"
    );
    assert!(
        refused(|mapping| mapping.alert.output = Some(text("item.lines.map(line, lin + 'x')")))
            .starts_with("alert.output: line 1, column 22: there is no \"lin\"")
    );
    assert!(
        refused(|mapping| mapping.alert.output = Some(text("item.a.lower()")))
            .contains("there is no \"lower\"")
    );
    assert!(
        refused(|mapping| drop(
            mapping
                .alert
                .labels
                .insert(text("x"), text("item.a.matches('(')"))
        ))
        .starts_with("alert.labels.x: line 1, column ")
    );
}

#[test]
fn expressions_have_texts_lists_and_optional_fields_at_hand() {
    let value = |expression: &str| {
        let mut mapping = backups();
        mapping.alert.output = Some(text(expression));
        read(mapping, &body()).expect(expression).alerts[0]
            .output
            .clone()
            .unwrap_or_default()
    };
    assert_eq!(value("item.host.upperAscii()"), "DB-1");
    assert_eq!(
        value("item.messages.filter(m, m.matches('^disk'))[0]"),
        "disk full"
    );
    assert_eq!(value("item.?nothing.orValue('none')"), "none");
    assert_eq!(value("body.?site.?name.orValue('none')"), "north");
    assert_eq!(value("optional.of('x').orValue('y')"), "x");
    assert_eq!(value("string(item.level) + '/' + item.host.split('-')[1]"), "1/1");
    assert_eq!(value("type(item.level) == int ? 'number' : 'text'"), "number");
    assert_eq!(value("item.nothing.at.all"), "");
    assert_eq!(
        value("item.tags.none.at.all"),
        "",
        "what is null has nothing in it"
    );
}

#[test]
fn too_many_items_are_refused_as_a_whole() {
    let body = json!({"jobs": vec![json!({"kind": "test"}); ITEMS_MAX + 1]});
    assert_eq!(
        read(backups(), &body).unwrap_err(),
        "each has 20001 items; send at most 20000 in one body"
    );
}

#[test]
fn i7_an_expression_reads_json_inside_a_text() {
    let mapping = |name: &str| {
        let mapping = Mapping {
            name: "inside".to_owned(),
            alert: MappedAlert {
                identity: vec!["parseJson(body.Message).ids[0]".to_owned()],
                name: name.to_owned(),
                status: "'firing'".to_owned(),
                ..MappedAlert::default()
            },
            ..Mapping::default()
        };
        CompiledMapping::compile(mapping).expect("a mapping")
    };
    let body = json!({ "Message": r#"{"ids": [7], "title": "disk full", "more": {"level": 1.5}}"# });
    let read = mapping("body.Message.parseJson().title")
        .read(&body, None)
        .expect("an alert");
    assert_eq!(read.alerts[0].identity, ["7"]);
    assert_eq!(read.alerts[0].name, "disk full");
    let missing = mapping("body.Message.parseJson().nothing").read(&body, None);
    assert!(missing.is_err_and(|error| error.reason.starts_with("is missing")));
    let no_json = mapping("'x'").read(&json!({ "Message": "disk full" }), None);
    let error = no_json.expect_err("a text that is not JSON").to_string();
    assert!(
        error.starts_with("alert.identity[0] cannot be told by") && error.contains("the text is not JSON"),
        "{error}"
    );
}
