//! The rules of the decorator: what is done to an event before anybody decides about it.
//!
//! Rules are tried in their order, and each sees what those before it have changed.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use jiff::Timestamp;
use schemas::config::{Rule, Rules};
use schemas::{AlertEvent, EventKind, HeartbeatRun, Severity};
use uuid::Uuid;

use condition::{Condition, Facts};

use crate::expression::ExpressionError;

mod condition;

/// Title of the link that a rule's runbook becomes.
pub const RUNBOOK_TITLE: &str = "Runbook";

/// The rule cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Its condition is no expression, or none that could ever be true.
    #[error("when: {0}")]
    Condition(#[from] ExpressionError),
    /// It would end alerts behind their source's back.
    #[error("severity: a rule cannot set ok, as that would close the alert; use drop, with a reason")]
    SetsOk,
}

/// Whether the rule can be used; if not, what is wrong with it and where.
pub fn check(rule: &Rule) -> Result<(), RuleError> {
    Condition::compile(&rule.when)?.try_out(&SAMPLE)?;
    if rule.severity == Some(Severity::Ok) {
        return Err(RuleError::SetsOk);
    }
    Ok(())
}

/// The rules of a site, compiled once.
#[derive(Debug, Default)]
pub struct CompiledRules(Vec<(Rule, Condition)>);

/// What became of an event.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Applied<'r> {
    /// The rule that dropped it, with the rule's reason.
    pub dropped: Option<(&'r str, &'r str)>,
    /// The rules that applied to it, in their order.
    pub applied: Vec<&'r str>,
    /// The rules that could not be evaluated on it, with the reason; they were skipped.
    pub failures: Vec<(&'r str, String)>,
}

impl CompiledRules {
    /// Compiles the rules; those that cannot be used are left out and told.
    pub fn new(rules: &Rules) -> (Self, Vec<(String, RuleError)>) {
        let mut compiled = Vec::with_capacity(rules.rules.len());
        let mut unusable = Vec::new();
        for rule in &rules.rules {
            match Condition::compile(&rule.when) {
                Ok(condition) => compiled.push((rule.clone(), condition)),
                Err(error) => unusable.push((rule.name.clone(), error.into())),
            }
        }
        (Self(compiled), unusable)
    }

    /// Applies the rules to the event.
    ///
    /// The end of a problem is never dropped, whatever a rule says: nobody knows here whether the alert is open, and
    /// an alert that was opened must be able to close. The end of one that is not open leaves no trace anyway. A requested
    /// action and a probe have nothing that a rule could look at.
    pub fn apply(&self, event: &mut AlertEvent) -> Applied<'_> {
        let mut applied = Applied::default();
        if matches!(event.kind, EventKind::ActionRequest(_) | EventKind::Probe { .. }) {
            return applied;
        }
        let mut rest = self.0.as_slice();
        while let Some(position) = first_that_holds(rest, event, &mut applied.failures) {
            let (rule, _) = &rest[position];
            rest = &rest[position + 1..];
            if let Some(reason) = &rule.drop
                && !is_end(event)
            {
                applied.dropped = Some((&rule.name, reason));
                break;
            }
            change(event, rule);
            applied.applied.push(&rule.name);
        }
        applied
    }
}

fn is_end(event: &AlertEvent) -> bool {
    match event.kind {
        EventKind::Resolved { .. } => true,
        EventKind::HeartbeatCall { run, .. } => run == HeartbeatRun::Succeeded,
        _ => false,
    }
}

fn first_that_holds<'r>(
    rules: &'r [(Rule, Condition)],
    event: &AlertEvent,
    failures: &mut Vec<(&'r str, String)>,
) -> Option<usize> {
    let facts = Facts::of(event);
    rules
        .iter()
        .position(|(rule, condition)| match condition.holds(&facts) {
            Ok(holds) => holds,
            Err(error) => {
                failures.push((&rule.name, error));
                false
            }
        })
}

fn change(event: &mut AlertEvent, rule: &Rule) {
    for (name, value) in &rule.labels {
        event.labels.insert(name.clone(), value.clone());
    }
    if let Some(severity) = rule.severity {
        event.severity = severity;
    }
    if let Some(runbook) = &rule.runbook {
        event.links.insert(RUNBOOK_TITLE.to_owned(), runbook.clone());
    }
}

/// An event to try expressions on.
static SAMPLE: LazyLock<AlertEvent> = LazyLock::new(|| AlertEvent {
    event_id: Uuid::nil(),
    fingerprint: crate::fingerprint(["sample"]),
    accepted_at: Timestamp::UNIX_EPOCH,
    occurred_at: None,
    expires_at: None,
    outcome_wanted: false,
    key: None,
    kind: EventKind::Firing { acknowledged: false },
    severity: Severity::Warning,
    integration: "default".to_owned(),
    monitoring_system: "api".to_owned(),
    source: "source".to_owned(),
    service: Some("service".to_owned()),
    object: "object".to_owned(),
    name: "name".to_owned(),
    output: "output".to_owned(),
    labels: BTreeMap::from([("label".to_owned(), "value".to_owned())]),
    annotations: BTreeMap::from([("impact".to_owned(), "orders are lost".to_owned())]),
    links: BTreeMap::new(),
    environment: None,
    scenario: None,
});

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(name: &str, when: &str) -> Rule {
        Rule {
            name: name.to_owned(),
            when: when.to_owned(),
            ..Rule::default()
        }
    }

    fn labelled(name: &str, when: &str, label: &str, value: &str) -> Rule {
        let labels = BTreeMap::from([(label.to_owned(), value.to_owned())]);
        Rule {
            labels,
            ..rule(name, when)
        }
    }

    fn compiled(rules: Vec<Rule>) -> CompiledRules {
        let (compiled, unusable) = CompiledRules::new(&Rules { rules });
        assert_eq!(unusable, []);
        compiled
    }

    fn holds(when: &str) -> bool {
        assert_eq!(check(&rule("r", when)), Ok(()), "{when}");
        let mut event = SAMPLE.clone();
        let rules = compiled(vec![labelled("r", when, "applied", "yes")]);
        let applied = rules.apply(&mut event);
        assert_eq!((applied.dropped, applied.failures), (None, Vec::new()), "{when}");
        assert_eq!(!applied.applied.is_empty(), event.labels.contains_key("applied"));
        event.labels.contains_key("applied")
    }

    fn refused(when: &str) -> String {
        check(&rule("r", when)).expect_err(when).to_string()
    }

    #[test]
    fn an_expression_can_name_everything_that_is_documented() {
        assert!(holds(
            "name == 'name' && object == 'object' && source == 'source' && service == 'service' \
             && output == 'output' && severity == 'warning' && monitoring_system == 'api' \
             && integration == 'default' && labels.label == 'value' && labels['label'] == 'value' \
             && annotations.impact.contains('lost')"
        ));
        assert!(holds("severity in ['warning', 'critical'] && size(labels) == 1"));
        assert!(holds(
            "name.startsWith('na') && name.contains('am') && name.endsWith('me')"
        ));
        assert!(holds("labels.exists(key, labels[key] == 'value')"));
        assert!(holds("!has(labels.team) && !('team' in labels)"));
        assert!(!holds("object == 'other'"));
    }

    #[test]
    fn regular_expressions_are_found_wherever_they_stand() {
        assert!(holds("name.matches('^n.*e$') && matches(name, '^n')"));
        assert!(holds(
            "labels.exists(key, key.matches('^lab') && labels[key].matches('^v'))"
        ));
        assert!(!holds(
            "name.matches('^x') || (true ? object.matches('x') : true)"
        ));
        assert!(refused("name.matches('na' + 'me')").contains("quotation marks"));
    }

    #[test]
    fn a_label_that_is_not_there_means_that_the_rule_does_not_apply() {
        assert!(!holds("labels.team == 'pay'"));
        assert!(!holds("labels.team != 'pay'"));
        assert!(holds("labels.team == 'pay' || name == 'name'"));
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        assert_eq!(
            refused("name ==").split(": ").take(2).collect::<Vec<_>>(),
            ["when", "line 1, column 8"]
        );
        assert_eq!(
            refused("name == 'x' &&\n host == 'web'"),
            "when: line 2, column 2: there is no \"host\": an expression can name name, object, source, service, \
             output, severity, monitoring_system, integration, labels and annotations"
        );
        assert!(
            refused("false && nmae.contains('x')")
                .starts_with("when: line 1, column 10: there is no \"nmae\"")
        );
        assert!(refused("name.has('x')").contains("there is no \"has\""));
        assert!(refused("name > 3").contains("line 1, column 6: found no matching overload"));
        assert!(refused("name").contains("true or false"));
        assert!(refused("").contains("line 1"));
        assert!(refused("name.matches('(')").contains("not a regular expression"));
        assert!(refused(&"(".repeat(5_000)).contains("line 1"));
        assert!(refused(&format!("name == '{}'", "x".repeat(20_000))).contains("longer than"));
    }

    #[test]
    fn broken_expressions_are_answered_and_never_panic() {
        let good = "name.matches('^a') && labels.exists(k, has(labels.x) ? k in ['a'] : -1 < 2u) || {'a': b'c'}.a == d";
        for end in 0..good.len() {
            let _ = check(&rule("r", &good[..end]));
            let _ = check(&rule("r", &good[end..]));
            for odd in ["'", "(", "\\", "\u{0}", "é", ".", "?"] {
                let _ = check(&rule("r", &format!("{}{odd}{}", &good[..end], &good[end + 1..])));
            }
        }
    }

    #[test]
    fn each_rule_sees_what_those_before_it_have_changed() {
        let rules = compiled(vec![
            labelled("team", "name == 'name'", "team", "pay"),
            Rule {
                severity: Some(Severity::Urgent),
                runbook: Some("https://wiki.example/pay".to_owned()),
                ..rule("urgent", "labels.team == 'pay'")
            },
            labelled("after", "severity == 'urgent'", "page", "yes"),
        ]);
        let mut event = SAMPLE.clone();
        let applied = Applied {
            applied: vec!["team", "urgent", "after"],
            ..Applied::default()
        };
        assert_eq!(rules.apply(&mut event), applied);
        assert_eq!(
            (event.severity, event.labels["page"].as_str()),
            (Severity::Urgent, "yes")
        );
        assert_eq!(event.links[RUNBOOK_TITLE], "https://wiki.example/pay");
    }

    #[test]
    fn a_drop_has_a_reason_and_never_takes_the_end_of_a_problem() {
        let drop = Rule {
            drop: Some("not ours".to_owned()),
            ..rule("noise", "name == 'name'")
        };
        let rules = compiled(vec![drop, labelled("after", "true", "after", "yes")]);
        let mut event = SAMPLE.clone();
        assert_eq!(rules.apply(&mut event).dropped, Some(("noise", "not ours")));
        assert!(!event.labels.contains_key("after"));
        event.kind = schemas::EventStatus::Resolved.into();
        assert_eq!(rules.apply(&mut event).dropped, None);
        assert!(event.labels.contains_key("after"));
    }

    #[test]
    fn no_rule_applies_to_a_requested_action() {
        let drop = Rule {
            drop: Some("not ours".to_owned()),
            ..rule("noise", "true")
        };
        let rules = compiled(vec![labelled("first", "true", "first", "yes"), drop]);
        let mut event = SAMPLE.clone();
        event.kind = EventKind::ActionRequest(schemas::ActionRequest {
            author: None,
            action: schemas::Action::Unacknowledge,
        });
        let before = event.clone();
        assert_eq!(rules.apply(&mut event), Applied::default());
        assert_eq!(event, before);
    }

    #[test]
    fn a_rule_that_fails_on_an_event_is_skipped_and_told() {
        let rules = compiled(vec![
            rule("number", "int(labels.label) > 3"),
            rule("text", "name"),
            labelled("after", "true", "after", "yes"),
        ]);
        let mut event = SAMPLE.clone();
        let applied = rules.apply(&mut event);
        let failed: Vec<_> = applied.failures.iter().map(|(rule, _)| *rule).collect();
        assert_eq!((applied.dropped, failed), (None, vec!["number", "text"]));
        assert!(event.labels.contains_key("after"));
    }

    #[test]
    fn rules_that_cannot_be_compiled_are_left_out_and_told() {
        let rules = vec![rule("broken", "name =="), labelled("good", "true", "good", "yes")];
        let (compiled, unusable) = CompiledRules::new(&Rules { rules });
        assert_eq!(
            unusable.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["broken"]
        );
        let mut event = SAMPLE.clone();
        compiled.apply(&mut event);
        assert!(event.labels.contains_key("good"));
        assert_eq!(
            check(&Rule {
                severity: Some(Severity::Ok),
                ..rule("r", "true")
            }),
            Err(RuleError::SetsOk)
        );
    }
}
