//! What is said of an alert in place of what its source says.
//!
//! The words of the source stay beneath. What it says later changes what nobody amended, and all of it comes back when
//! the amendment is taken back. A severity holds only while the source keeps to the one that it had when somebody knew
//! better: that it gets worse, or better, is news. All of it ends when the source opens the alert anew.

use std::collections::BTreeMap;

use schemas::{Alert, Amended, Amendment, Badge, Difference, Severity, What};

use super::change::{Change, Verdict};
use crate::state::{AlertState, Said};

const TAGS: &str = "tags";
const RESPONDERS: &str = "responders";
/// The most bytes of text that all that is amended of an alert may have: it is a part of every message about it.
const TEXT_MAX: usize = 32 * 1024;

/// Adds to what is amended.
pub(super) fn amend(change: &mut Change<'_>, by: &str, amendment: &Amendment) -> Verdict {
    let amended = change.state.alert.amended.clone();
    let mut all = amended.map(|amended| amended.amendment).unwrap_or_default();
    add(&mut all, amendment);
    if let Some(reason) = refusal(change, amendment, &all) {
        return Verdict::Refused(reason);
    }
    let amended = Amended {
        by: by.to_owned(),
        at: change.now,
        amendment: all,
    };
    let differences = alter(change, Some(amended));
    if differences.is_empty() {
        Verdict::Unchanged("the alert is so already")
    } else {
        Verdict::Applied(What::Amended { differences })
    }
}

/// Takes back all that is amended.
pub(super) fn unamend(change: &mut Change<'_>) -> Verdict {
    if change.state.alert.amended.is_none() {
        return Verdict::Unchanged("nothing is amended");
    }
    let differences = alter(change, None);
    Verdict::Applied(What::Unamended { differences })
}

/// The source speaks while something may be amended.
pub(super) fn beneath(state: &mut AlertState, source_speaks: impl FnOnce(&mut Alert)) {
    let Some(before) = state.said.take() else {
        source_speaks(&mut state.alert);
        return;
    };
    let shown = state.alert.clone();
    before.clone().put_into(&mut state.alert);
    source_speaks(&mut state.alert);
    if let Some(amended) = &mut state.alert.amended
        && state.alert.severity != before.severity
    {
        amended.amendment.severity = None;
    }
    if state
        .alert
        .amended
        .as_ref()
        .is_some_and(|amended| amended.amendment == Amendment::default())
    {
        state.alert.amended = None;
    }
    lay_over(state);
    keep_previous_output(&mut state.alert, &shown);
}

/// Nothing is amended any more.
pub(super) fn end(state: &mut AlertState) {
    if let Some(said) = state.said.take() {
        said.put_into(&mut state.alert);
    }
    state.alert.amended = None;
}

/// Why this is not added, which would make all of it that.
fn refusal(change: &Change<'_>, amendment: &Amendment, all: &Amendment) -> Option<String> {
    if *amendment == Amendment::default() {
        let reason = "nothing is amended: give severity, name, output, scenario, labels, tags or responders";
        return Some(reason.to_owned());
    }
    if amendment.severity == Some(Severity::Ok) {
        return Some("severity ok would be the end of it: resolve it".to_owned());
    }
    let size = size(all);
    if size > TEXT_MAX {
        return Some(format!(
            "all that is amended would have {size} bytes: at most {TEXT_MAX} are taken, so give less or take back what is amended"
        ));
    }
    let scenario = amendment.scenario.as_ref()?;
    (!change.site.scenarios.contains_key(scenario)).then(|| {
        let known: Vec<_> = change.site.scenarios.keys().map(String::as_str).collect();
        format!(
            "there is no scenario {scenario:?}: there are {}",
            known.join(", ")
        )
    })
}

/// Amends the alert otherwise; answers what is different now.
fn alter(change: &mut Change<'_>, amended: Option<Amended>) -> Vec<Difference> {
    let state = &mut change.state;
    let (shown, said) = (state.alert.clone(), state.said.clone());
    end(state);
    state.alert.amended = amended;
    lay_over(state);
    let differences = differences(&shown, &state.alert);
    if !differences.is_empty() {
        keep_previous_output(&mut state.alert, &shown);
        let alert = &mut state.alert;
        if alert.severity == shown.severity {
            alert.counts.updated += 1;
        } else {
            alert.counts.severity_changed += 1;
        }
        alert.badge = Badge::named(&alert.name).or(shown.badge);
    } else if state.alert.amended.is_some() {
        (state.alert, state.said) = (shown, said);
    }
    differences
}

/// Puts what is amended over what the source says, which the alert is now.
fn lay_over(state: &mut AlertState) {
    let alert = &mut state.alert;
    let Some(amended) = &alert.amended else { return };
    state.said = Some(Said::of(alert));
    let amendment = amended.amendment.clone();
    alert.severity = amendment.severity.unwrap_or(alert.severity);
    replace(&mut alert.name, amendment.name);
    replace(&mut alert.output, amendment.output);
    replace(&mut alert.scenario, amendment.scenario);
    for (name, value) in amendment.labels {
        match value {
            Some(value) => drop(alert.labels.insert(name, value)),
            None => drop(alert.labels.remove(&name)),
        }
    }
    amend_list(&mut alert.labels, TAGS, &amendment.tags);
    amend_list(&mut alert.labels, RESPONDERS, &amendment.responders);
}

/// Adds parts to a label that lists them with commas, or takes them away.
fn amend_list(labels: &mut BTreeMap<String, String>, label: &str, amended: &BTreeMap<String, bool>) {
    if amended.is_empty() {
        return;
    }
    let before = labels.remove(label).unwrap_or_default();
    let (gone, here): (Vec<_>, Vec<_>) = amended.iter().partition(|(_, here)| !**here);
    let was = before.split(',').map(str::trim).filter(|part| !part.is_empty());
    let mut parts: Vec<&str> = was
        .filter(|part| !gone.iter().any(|(name, _)| name == part))
        .collect();
    for (part, _) in here {
        if !parts.contains(&part.as_str()) {
            parts.push(part);
        }
    }
    if !parts.is_empty() {
        labels.insert(label.to_owned(), parts.join(", "));
    }
}

fn replace(text: &mut String, other: Option<String>) {
    if let Some(other) = other {
        *text = other;
    }
}

fn keep_previous_output(alert: &mut Alert, shown: &Alert) {
    alert.previous_output = match alert.output == shown.output {
        true => shown.previous_output.clone(),
        false => Some(shown.output.clone()),
    };
}

fn size(amendment: &Amendment) -> usize {
    let texts = [&amendment.name, &amendment.output, &amendment.scenario];
    let texts = texts.into_iter().flatten().map(String::len);
    let labels = amendment.labels.iter();
    let labels = labels.map(|(name, value)| name.len() + value.as_ref().map_or(0, String::len));
    let tags = amendment
        .tags
        .keys()
        .chain(amendment.responders.keys())
        .map(String::len);
    texts.chain(labels).chain(tags).sum()
}

fn add(all: &mut Amendment, more: &Amendment) {
    all.severity = more.severity.or(all.severity);
    for (all, more) in [
        (&mut all.name, &more.name),
        (&mut all.output, &more.output),
        (&mut all.scenario, &more.scenario),
    ] {
        if more.is_some() {
            all.clone_from(more);
        }
    }
    all.labels.extend(more.labels.clone());
    all.tags.extend(more.tags.clone());
    all.responders.extend(more.responders.clone());
}

fn differences(before: &Alert, now: &Alert) -> Vec<Difference> {
    let mut all = Vec::new();
    if before.scenario != now.scenario {
        let (from, to) = (before.scenario.clone(), now.scenario.clone());
        all.push(Difference::Scenario { from, to });
    }
    if before.severity != now.severity {
        let (from, to) = (before.severity, now.severity);
        all.push(Difference::Severity { from, to });
    }
    if before.name != now.name {
        let (from, to) = (before.name.clone(), now.name.clone());
        all.push(Difference::Name { from, to });
    }
    if before.output != now.output {
        all.push(Difference::Output {
            to: now.output.clone(),
        });
    }
    let changed = now
        .labels
        .iter()
        .filter(|(name, value)| before.labels.get(*name) != Some(value))
        .map(|(name, value)| (name, Some(value)));
    let gone = before
        .labels
        .keys()
        .filter(|name| !now.labels.contains_key(*name))
        .map(|name| (name, None));
    all.extend(changed.chain(gone).map(|(name, to)| Difference::Label {
        name: name.clone(),
        to: to.cloned(),
    }));
    all
}

impl Said {
    fn of(alert: &Alert) -> Self {
        Self {
            severity: alert.severity,
            name: alert.name.clone(),
            output: alert.output.clone(),
            scenario: alert.scenario.clone(),
            labels: alert.labels.clone(),
        }
    }

    fn put_into(self, alert: &mut Alert) {
        alert.severity = self.severity;
        alert.name = self.name;
        alert.output = self.output;
        alert.scenario = self.scenario;
        alert.labels = self.labels;
    }
}

#[cfg(test)]
mod tests;
