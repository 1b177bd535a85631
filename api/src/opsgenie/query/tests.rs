use super::*;
use crate::opsgenie::tests::opened;

fn found(query: &str) -> bool {
    let mut alert = opened("mine", "pay-3/5xx");
    alert
        .labels
        .insert("responders".to_owned(), "storage, ann@shop.example".to_owned());
    alert.labels.insert("region".to_owned(), "Oregon".to_owned());
    alert.name = "Disk of db-1 is full".to_owned();
    alert.output = "97 % of /var on host:9100 at C:\\temp".to_owned();
    alert.labels.insert("env".to_owned(), "prod".to_owned());
    let url = "https://shop.example/?a=b".to_owned();
    alert.labels.insert("url".to_owned(), url);
    parse(query)
        .unwrap_or_else(|error| panic!("{query}: {error}"))
        .matches(&alert)
}

#[test]
fn c2_the_query_language_of_opsgenie() {
    let id = shown::id(&opened("mine", "pay-3/5xx"));
    let tiny = domain::opsgenie::tiny_id(opened("mine", "pay-3/5xx").fingerprint);
    for (query, expected) in [
        ("", true),
        ("   ", true),
        ("status: open", true),
        ("status=open", true),
        ("STATUS : Open", true),
        ("status: closed", false),
        ("status != closed", true),
        ("NOT status: open", false),
        ("NOT tag:night", false),
        ("NOT tag: day", true),
        ("!tag:night", false),
        ("!tag:day", true),
        ("! tag: night", false),
        ("!!tag:night", true),
        ("NOT !tag:night", true),
        ("status: open AND !tag:day", true),
        ("status: open !tag:night", false),
        ("!(tag: day OR status: closed)", true),
        ("!\"disk of db-1\"", false),
        ("!nothing", true),
        ("tag: !day", true),
        ("tag: !night", false),
        ("tag: NOT day", true),
        ("tag: NOT (day OR night)", false),
        ("tag: NOT (env:dev OR day)", true),
        ("tag: (night AND !day)", true),
        ("tag: (night AND NOT urgent)", false),
        ("tag: not", false),
        ("tag: not AND status: open", false),
        ("priority: !P1", true),
        // A colon in a tag.
        ("tag: \"env:prod\"", true),
        ("tag:\"env:prod\"", true),
        ("tag:\"env:dev\"", false),
        ("tag: env\\:prod", true),
        ("tag:env\\:prod", true),
        ("tag: env\\:dev", false),
        ("tag: env:prod", true),
        ("tag=env:prod", true),
        ("tag != env:prod", false),
        ("tag: \"env: prod\"", true),
        ("tag: env:*", true),
        ("tag: \"night:\"", true),
        ("tag: \"env:*\"", true),
        ("tag: (env:prod AND night)", true),
        ("tag: (env\\:dev OR \"env:prod\")", true),
        ("tag: (env:dev OR day)", false),
        ("!tag:env:prod", false),
        ("NOT tag: \"env:prod\"", false),
        ("tag: \"url:https://shop.example/?a=b\"", true),
        ("tag: url\\:https\\:\\/\\/shop.example\\/\\?a\\=b", true),
        // What is escaped is no sign.
        ("host\\:9100", true),
        ("message: Disk\\ of\\ db\\-1", true),
        ("message: d\\*", false),
        ("message: \"d\\*\"", false),
        ("description: C\\:\\\\temp", true),
        ("description: \"C:\\temp\"", true),
        ("details.region: \\!Oregon", false),
        ("status: (open OR closed)", true),
        ("status: open AND priority: P2", true),
        ("status: open && priority: P2", true),
        ("status: closed || priority: P2", true),
        ("status: closed && priority: P2", false),
        ("status: open priority: P1", false),
        ("priority: P1 OR priority: P2", true),
        ("priority: P1 OR status: closed AND tag: night", false),
        ("(priority: P1 OR status: open) AND tag: night", true),
        ("tag: night", true),
        ("tag: (night AND urgent)", true),
        ("tag: nigh", false),
        ("tag: nigh*", true),
        ("tag: *gent", true),
        ("message: disk", true),
        ("message: dis", false),
        ("message: dis*", true),
        ("message: \"disk of db-1\"", true),
        ("message: \"disk db-1\"", false),
        ("message : Disk of db-1", true),
        ("disk", true),
        ("disk AND oregon", true),
        ("disk AND nothing", false),
        ("description: host:9100", true),
        ("alias: pay-3/5xx", true),
        ("alias: pay-*", true),
        ("alias: pay", false),
        ("entity: db", true),
        ("source: prometheus", true),
        ("owner: ann", false),
        ("acknowledged: false", true),
        ("acknowledged: true", false),
        ("isSeen: false AND snoozed: false", true),
        ("teams: storage", true),
        ("responders: ann@shop.example", true),
        ("integration.name: mine", true),
        ("integration.type: API", true),
        ("details.key: region", true),
        ("details.value: Oregon", true),
        ("details.region: oregon", true),
        ("details.region: Ohio", false),
        ("closedBy: ann", false),
        ("count: 1", true),
        ("count > 1", false),
        ("count >= 1 AND count < 2", true),
        // The alert was opened on 2026-09-01 at 10:00.
        ("createdAt: 01-09-2026", true),
        ("createdAt > 01-09-2026", false),
        ("createdAt >= 01-09-2026", true),
        ("createdAt < 02-09-2026", true),
        ("createdAt: 01-09-2026T10:00", true),
        ("createdAt > 01-09-2026T10:00", false),
        ("createdAt: 1788256800000", true),
        ("createdAt < 1788256800000", false),
        ("lastOccurredAt >= 2026-09-01T10:00:00Z", true),
        ("snoozedUntil > 0", false),
        (&format!("alertId: {id}"), true),
        (&format!("tinyId: {tiny}"), true),
    ] {
        assert_eq!(found(query), expected, "{query}");
    }
}

#[test]
fn c2_a_query_that_is_not_understood_says_what_to_write() {
    let deep = format!("{}a{}", "(".repeat(30), ")".repeat(30));
    let long = "a ".repeat(200);
    let huge = "a".repeat(5000);
    for (query, words) in [
        (
            "colour: red",
            "has the field \"colour\", which there is not; use one of createdAt",
        ),
        ("http://host", "has the field \"http\", which there is not"),
        ("status:", "has no value for status; write status: value"),
        (": open", "has an operator without a field"),
        ("status > open", "compares status, which is a text"),
        ("count: many", "compares count with \"many\", which is no number"),
        (
            "createdAt: soon",
            "has \"soon\" for createdAt, which is no time; write",
        ),
        ("createdAt: 32-01-2026", "has \"32-01-2026\" for createdAt"),
        (
            "acknowledged: yes",
            "has \"yes\" for acknowledged; write true or false",
        ),
        (
            "acknowledged > true",
            "compares acknowledged, which is true or false",
        ),
        ("(a", "has a ( without a ); close it"),
        ("a)", "has a ) without a (; remove it"),
        ("()", "lacks a condition"),
        ("a OR", "lacks a condition"),
        ("AND a", "has nothing before AND"),
        ("a AND", "has nothing after AND"),
        ("a AND AND b", "has nothing after AND"),
        ("NOT", "has nothing after NOT"),
        ("tag: a NOT", "has nothing after NOT"),
        ("!)", "has a ) without a (; remove it"),
        ("\"a", "has a quote that is not closed"),
        (&deep, "has more than 20 parentheses in each other"),
        (&long, "has more than 100 conditions"),
        (&huge, "is longer than 4000 bytes"),
    ] {
        let error = parse(query).expect_err(query);
        assert!(error.starts_with(words), "{query}: {error}");
    }
}

#[test]
fn the_status_is_asked_of_the_database_where_the_query_says_it() {
    for (query, status) in [
        ("", StatusWanted::Any),
        ("status: open", StatusWanted::Open),
        ("status: closed AND tag: a", StatusWanted::Closed),
        ("tag: a AND (status: open)", StatusWanted::Open),
        ("status: open OR tag: a", StatusWanted::Any),
        ("NOT status: open", StatusWanted::Any),
        ("status: *", StatusWanted::Any),
    ] {
        assert_eq!(parse(query).unwrap().status(), status, "{query}");
    }
}
